/** Types of @pm/realtime-client: the pm.v1 protocol as a program sees it. */

/** Where a client stands in one stream. Numbers of another epoch mean nothing. */
export interface Position {
  epoch: string;
  seq: number;
}

// ---- frames ----

/** A durable event: in order, without gaps, handed over once. */
export interface EventFrame<Data = Record<string, unknown>> {
  type: string;
  stream: string;
  seq: number;
  /** UUID of the event. */
  id: string;
  /** ISO 8601, UTC. Informs; `seq` orders. */
  ts: string;
  data: Data;
}

/** An ephemeral signal: may be lost, is never repeated. */
export interface SignalFrame<Data = Record<string, unknown>> {
  type: string;
  stream: string;
  ts?: string;
  data: Data;
}

/** A signal of the connection itself, such as `server_shutdown` or `warning_issued`. */
export interface ConnectionSignalFrame<Data = Record<string, unknown>> {
  type: string;
  ts?: string;
  data?: Data;
}

/** The person was removed, or the project is gone. */
export interface ProjectLeftFrame {
  type: "project_left";
  stream: string;
  data?: Record<string, unknown>;
}

/** Made by the client: the server refused the subscription for good. */
export interface SubscribeRefusedFrame {
  type: "subscribe_refused";
  stream: string;
  error: ReplyError;
}

export type LeftFrame = ProjectLeftFrame | SubscribeRefusedFrame;

export interface HeartbeatFrame {
  type: "heartbeat";
  ts: string;
  heads: Record<string, number>;
  /** Where presence stands, for streams that have it. */
  presence?: Record<string, { nonce: string; counter: number }>;
}

/** How others see a person: "busy" by choice, "away" when all their tabs were hidden for long. */
export interface Present {
  user: { id: number; name: string };
  state: "online" | "away" | "busy";
}

/** Who is here; null while the server does not know. `cut`: there are more than are listed. */
export interface PresenceList {
  users: Present[] | null;
  nonce: string | null;
  counter: number | null;
  cut?: boolean;
}

export interface ServerShutdownFrame {
  type: "server_shutdown";
  data: { reconnect_after_ms: number };
}

export interface StreamResetFrame {
  type: "stream_reset";
  stream: string;
  reason: "epoch" | "trimmed";
}

export interface Authenticated {
  /** Id of this connection, for logs. */
  connection: string;
  user: { id: number; name: string };
  server_time: string;
  heartbeat_s: number;
  expires_at: string | null;
  protocol: string;
}

// ---- replies ----

export type ServerErrorCode =
  | "bad_request"
  | "unknown_command"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "too_large"
  | "rate_limited"
  | "conflict"
  | "not_subscribed"
  | "limit_reached"
  | "unavailable"
  | "internal";

/**
 * disconnected: no connection, or it was lost before the reply; the command may have taken effect.
 * queue_full: 256 commands wait already. timeout: no reply in time. too_large: above 64 KiB, not
 * sent. stopped, closed: the connection will not come back by itself. user_changed: somebody else
 * signed in while the command waited.
 */
export type ClientErrorCode =
  | "disconnected"
  | "queue_full"
  | "timeout"
  | "too_large"
  | "stopped"
  | "closed"
  | "user_changed";

export type ErrorCode = ServerErrorCode | ClientErrorCode;

/** The `error` object of a reply, as on the wire. */
export interface ReplyError {
  code: ErrorCode;
  message: string;
  temporary: boolean;
  retry_after_ms: number | null;
}

export type Reply<Data = Record<string, unknown>> =
  | { reply: number; ok: true; data: Data }
  | { reply: number; ok: false; error: ReplyError };

export class CommandError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    options?: { temporary?: boolean; retryAfterMs?: number | null },
  );
  readonly code: ErrorCode;
  /** The same command may succeed later. */
  readonly temporary: boolean;
  /** What the server asked to wait, in ms. */
  readonly retryAfterMs: number | null;
}

/** The server said something that the protocol does not allow. */
export class ProtocolError extends Error {
  constructor(message: string, frame: unknown);
  readonly frame: unknown;
}

/** An AI run that is under way, as a joining client finds it. */
export interface RunState {
  run: string | number;
  message: string | number;
  generation: number;
  /** In Unicode code points. */
  offset: number;
  text: string;
}

/** The data of a subscribe's reply. */
export interface SubscribeReply<Snapshot = unknown> {
  stream: string;
  epoch: string;
  head: number;
  /** Absent when no position was sent. False: the state was replaced, see `reason`. */
  recovered?: boolean;
  reason?: "epoch" | "trimmed";
  /** How many events follow. */
  replay?: number;
  snapshot?: Snapshot;
  /** Of streams with presence. */
  presence?: PresenceList | null;
  runs?: RunState[];
}

/** Reply data of the commands that are not the client's own business. */
export interface CommandReplies {
  authenticate: Authenticated;
  refresh: { expires_at: string | null };
  history: { events: EventFrame[]; more: boolean };
  send_message: { message: Record<string, unknown>; seq: number };
  edit_message: { message: Record<string, unknown>; seq: number };
  delete_message: { message: Record<string, unknown>; seq: number };
  mark_read: Record<string, never>;
  typing: Record<string, never>;
  run: { generation: number; state: string; offset: number; text: string };
  cancel_run: { state: string };
  presence: PresenceList;
  ping: { ts: string };
}

// ---- the client ----

export type StateName = "connecting" | "online" | "waiting" | "offline" | "stopped" | "closed";

export interface CloseReason {
  /** WebSocket close code; 0 when the address was unusable. */
  code: number;
  /** Its name, such as "server_restart" or "unauthorized". */
  name: string;
  text: string;
}

/**
 * connecting: a socket is being opened. online: authenticated, streams flow. waiting: will retry at
 * `retryAt`. offline: the same, and the browser says that there is no network. stopped: refused for
 * a `reason` that retrying would not change (sign in again, then connect()). closed: by close(), by
 * the server's 1000, or not opened yet.
 */
export interface ClientState {
  state: StateName;
  reason: CloseReason | null;
  /** Milliseconds since 1970. */
  retryAt: number | null;
  /** Attempts in a row without a connection that held. */
  attempt: number;
}

export interface ClientEvents {
  state: ClientState;
  authenticated: Authenticated;
  /** Frames without a stream: `server_shutdown`, `error_occurred`, `warning_issued` and so on. */
  signal: ConnectionSignalFrame;
  /** Protocol surprises and exceptions of handlers. Without a listener they go to the console. */
  error: unknown;
}

export interface SubscribeOptions<Snapshot = unknown> {
  /** Ask for the snapshot when there is no position yet. Default false. */
  snapshot?: boolean;
  /** Start after this position, which must belong to the state that the page holds. */
  since?: Position | null;
  /**
   * Replace the state: first subscribe with `snapshot`, a position that was not recovered, a reset.
   * Null when the server has none for this stream.
   */
  onSnapshot?(snapshot: Snapshot | null, info: SubscribeReply<Snapshot>): unknown;
  onEvent?(frame: EventFrame): unknown;
  onSignal?(frame: SignalFrame): unknown;
  /**
   * Who is here, after every change, in no order; null when the server stopped knowing. Without
   * this handler the client keeps no list.
   */
  onPresence?(users: Present[] | null): unknown;
  /** After every successful subscribe, resumes included; follows onSnapshot. */
  onSubscribed?(info: SubscribeReply<Snapshot>): unknown;
  /** The subscription has ended: removed, or refused. */
  onLeft?(frame: LeftFrame): unknown;
}

/** One stream as this client follows it; made by RealtimeClient.subscribe(). */
export interface Subscription {
  readonly stream: string;
  /** Of the last event handed over; null before the first reply. A copy, in this tab's memory. */
  readonly position: Position | null;
  /** Subscribed on an open connection. */
  readonly live: boolean;
  /** Left, refused or unsubscribed. */
  readonly ended: boolean;
  /** How often a gap had to be healed by subscribing again. */
  readonly gaps: number;
  /** Resolves when confirmed, or at once without a connection. Nothing is handed over any more. */
  unsubscribe(): Promise<void>;
}

/** What is used of a WebSocket; browsers' own, and Node's `ws`, fit. */
export interface WebSocketLike {
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export interface WebSocketClass {
  new (url: string, protocols?: string | string[], options?: any): WebSocketLike;
}

export interface Clock {
  /** Milliseconds; must go on while the machine sleeps. */
  now(): number;
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
}

type Provided<Value> = Value | (() => Value | Promise<Value>);

export interface ClientOptions {
  /** ws, wss, http or https; in a browser also a path. Default "/ws". */
  url?: string;
  /** Default globalThis.WebSocket; Node 20 has none, pass that of `ws`. */
  WebSocket?: WebSocketClass;
  /** Default ["pm.v1"]. A function is called for every attempt. */
  protocols?: Provided<string[]>;
  /**
   * Fetches a ticket (POST /api/websocket/tickets) for every attempt, for pages of other sites and
   * wherever there is neither cookie nor header. Null: nobody is signed in, the client stops. What
   * it throws is reported, and the attempt counts as failed. After a close with 4401 one more
   * ticket is fetched before the client stops.
   */
  ticket?: (() => string | null | Promise<string | null>) | null;
  /** Third argument of Node's `ws`, such as `{Authorization: "Api-Key ..."}`; not for browsers. */
  headers?: Provided<Record<string, string> | null>;
  /** For tests. */
  clock?: Clock;
  /** For tests: like Math.random. */
  random?: () => number;
  /** For tests: like globalThis (location, navigator, document, addEventListener). */
  environment?: any;
}

export interface CommandOptions {
  /** Bounds the whole wait, in ms. Default 15 s, and none for commands with `client_ref`. */
  timeoutMs?: number;
}

export class RealtimeClient {
  constructor(options?: ClientOptions);
  /** As the last "state" event said. */
  readonly state: ClientState;
  /** Returns the function that removes the handler. */
  on<Name extends keyof ClientEvents>(
    name: Name,
    handler: (value: ClientEvents[Name]) => unknown,
  ): () => void;
  /** Open and keep open; while waiting: try now, unless the server asked for the delay. */
  connect(): void;
  /** End the connection; waiting commands are rejected with "closed". */
  close(): void;
  /**
   * Show this person as busy, or not. Hidden and visible tabs are told without being asked: a
   * person is away when all of them were hidden for five minutes.
   */
  setBusy(busy: boolean): void;
  /** One subscription per stream; throws for a second one. */
  subscribe<Snapshot = unknown>(
    stream: string,
    options?: SubscribeOptions<Snapshot>,
  ): Subscription;
  /** Rejects with CommandError. With `client_ref`: queued offline, sent until answered. */
  command<Name extends keyof CommandReplies>(
    cmd: Name,
    fields?: Record<string, unknown>,
    options?: CommandOptions,
  ): Promise<CommandReplies[Name]>;
  command(
    cmd: string,
    fields?: Record<string, unknown>,
    options?: CommandOptions,
  ): Promise<Record<string, unknown>>;
  /** send_message with a client_ref of its own: posted once, however often the network fails. */
  sendMessage(
    stream: string,
    body: string,
    extra?: { client_ref?: string; reply_to?: unknown; ask_ai?: boolean; [field: string]: unknown },
    options?: CommandOptions,
  ): Promise<CommandReplies["send_message"]>;
}
