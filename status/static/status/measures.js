// What is charted, of the measures that the server has: a measure that it does not know is left out,
// and a chart of which none is left. Pure.

export const SLOT_MS = 10_000;
export const WINDOW_MS = 90 * 60_000;

export const CHARTS = [
  {
    name: "connections",
    title: "Connections",
    lines: [
      ["sockets.count", "open"],
      ["sockets.lagging", "lagging"],
    ],
  },
  {
    name: "deliveries",
    title: "Deliveries",
    lines: [
      ["traffic.delivered_per_s", "delivered"],
      ["traffic.events_per_s", "events"],
    ],
  },
  {
    name: "latency",
    title: "Latency",
    lines: [
      ["delivery.p50_ms", "delivery p50"],
      ["delivery.p99_ms", "delivery p99"],
      ["event_log.append_ms", "append"],
      ["channel_layer.round_trip_ms", "layer round trip"],
      ["database.answer_ms", "database"],
    ],
  },
  { name: "loop", title: "Event-loop lag", lines: [["event_loop.lag_ms", "worst timer"]] },
  {
    name: "queue",
    title: "Queue of jobs",
    lines: [
      ["jobs.queued", "waiting"],
      ["jobs.running", "running"],
      ["jobs.dead", "dead"],
    ],
  },
  {
    name: "ai",
    title: "AI",
    lines: [
      ["ai.first_token_ms", "first token"],
      ["ai.connect_ms", "connecting"],
    ],
  },
  { name: "cpu", title: "CPU", lines: [["cpu.percent", "busiest process"]] },
  {
    name: "memory",
    title: "Memory",
    lines: [
      ["memory.resident_bytes", "processes"],
      ["redis.used_bytes", "Redis"],
    ],
  },
];

/** By full name: `{unit, text, merge}`. */
export function measuresOf(components) {
  const found = new Map();
  for (const { measures } of components) {
    for (const measure of measures) found.set(measure.name, measure);
  }
  return found;
}

/** The charts of CHARTS that can be drawn with those measures, each with its unit. */
export function chartsFor(measures) {
  return CHARTS.map(({ lines, ...chart }) => {
    const known = lines
      .filter(([name]) => measures.has(name))
      .map(([name, label]) => ({ name, label, merge: measures.get(name).merge }));
    return { ...chart, unit: measures.get(known[0]?.name)?.unit ?? "", lines: known };
  }).filter(({ lines }) => lines.length > 0);
}
