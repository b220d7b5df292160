/* The load generator: sockets as it is told by lines of standard input.
 *
 * Fields are separated by tabs. Descriptions have no answer; each command has one line of JSON. It
 * works on its sockets all the time, whatever it waits for; it ends when its input does.
 *
 *   server ADDRESS PORT SOURCES      where to connect to, and from how many addresses
 *   answer TEXT ANSWER               a text frame that must be answered
 *   refusal TEXT                     what a refusal of a message contains
 *   socket ROOM WANTED PATH          a new member, which has resumed after WANTED deliveries
 *   header NAME: VALUE               of the last member
 *   step EXPECTED TEXT               of the last member
 *   message TEXT                     of the last member, which publishes
 *   connect AT_ONCE LIMIT_MS         all that are new; so many under way at a time
 *   window BASE                      count from here, from this number on
 *   publish COUNT BURST INTERVAL_US SIZE BASE
 *   collect DELIVERIES QUIET_MS LIMIT_MS   until so many came, or none for QUIET_MS
 *   resume MEMBERS LIMIT_MS          until so many have resumed
 *   drop                             close and forget all members
 */
#define _GNU_SOURCE
#include "crowd.h"
#include "publishing.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_NS 2000000u
#define FIELDS 6

static struct crowd crowd;
static struct schedule schedule;

static void poll_until(uint64_t at_ns)
{
    uint64_t tick = now_ns() + TICK_NS;
    crowd_poll(&crowd, at_ns < tick ? at_ns : tick);
}

static uint64_t deadline(const char *limit_ms)
{
    return now_ns() + strtoull(limit_ms, NULL, 10) * 1000000u;
}

static void print_times(const char *name, const struct histogram *histogram)
{
    printf(",\"%s_p50_ms\":%.3f,\"%s_p95_ms\":%.3f,\"%s_p99_ms\":%.3f,\"%s_max_ms\":%.3f", name,
           histogram_percentile_ms(histogram, 50), name, histogram_percentile_ms(histogram, 95),
           name, histogram_percentile_ms(histogram, 99), name, (double)histogram->max / 1e6);
}

/* Everything there is to know; ends the line. */
static void answer(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
                   + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"joined\":%u,\"failed\":%u,\"closed\":%u,\"resumed\":%u,\"refused\":%u", crowd.joined,
           crowd.failed, crowd.closed, crowd.resumed, crowd.refused);
    printf(",\"connect_s\":%.6f",
           crowd.done_ns > crowd.begun_ns ? (double)(crowd.done_ns - crowd.begun_ns) / 1e9 : 0);
    print_times("connect", &crowd.connecting);
    print_times("resume", &crowd.resuming);
    print_times("storm", &crowd.since_begin);
    printf(",\"deliveries\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"stale\":%" PRIu64
           ",\"unknown\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"bytes\":%" PRIu64,
           crowd.deliveries, crowd.repeated, crowd.stale, crowd.unknown, crowd.frames, crowd.bytes);
    printf(",\"delivering_s\":%.6f", (double)(crowd.last_ns - crowd.first_ns) / 1e9);
    print_times("latency", &crowd.latency);
    printf(",\"published\":%u,\"publishing_s\":%.6f,\"late_max_ms\":%.3f", schedule.done,
           (double)(schedule.end_ns - schedule.begin_ns) / 1e9, (double)schedule.late_ns / 1e6);
    printf(",\"cpu_s\":%.6f,\"first_failure\":\"", cpu_s);
    for (const char *at = crowd.first_failure; *at != 0; at++)
        if (*at >= ' ' && *at != '"' && *at != '\\')
            putchar(*at);
    printf("\"}\n");
    fflush(stdout);
}

static void describe_socket(char **fields)
{
    struct member *member = crowd_add(&crowd);
    member->room = (unsigned)strtoul(fields[1], NULL, 10);
    member->wanted = (unsigned)strtoul(fields[2], NULL, 10);
    if (asprintf(&member->request,
                 "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                 fields[3], crowd.address, crowd.port) < 0)
        exit(1);
}

static void describe_header(struct member *member, const char *header)
{
    char *request = member->request;
    request[strlen(request) - 2] = 0;
    if (asprintf(&member->request, "%s%s\r\n\r\n", request, header) < 0)
        exit(1);
    free(request);
}

static void add_step(struct step **steps, unsigned *count, char **fields)
{
    struct step *more = realloc(*steps, (*count + 1) * sizeof *more);
    if (more == NULL)
        exit(1);
    more[(*count)++] = (struct step){must_copy(fields[1]), must_copy(fields[2])};
    *steps = more;
}

static void run_connect(char **fields)
{
    unsigned at_once = (unsigned)strtoul(fields[1], NULL, 10);
    uint64_t limit = deadline(fields[2]);
    while ((crowd.begun < crowd.count || crowd.in_flight > 0) && now_ns() < limit) {
        while (crowd.begun < crowd.count && crowd.in_flight < at_once)
            crowd_begin_next(&crowd);
        poll_until(limit);
    }
    answer();
}

static void run_publish(char **fields)
{
    schedule.count = (unsigned)strtoul(fields[1], NULL, 10);
    schedule.burst = (unsigned)strtoul(fields[2], NULL, 10);
    schedule.interval_ns = strtoull(fields[3], NULL, 10) * 1000u;
    schedule.size = (unsigned)strtoul(fields[4], NULL, 10);
    schedule.base = strtoull(fields[5], NULL, 10);
    schedule_begin(&schedule, &crowd);
    while (schedule.done < schedule.count) {
        if (schedule_due(&schedule) <= now_ns())
            schedule_burst(&schedule, &crowd);
        else
            poll_until(schedule_due(&schedule));
    }
    answer();
}

static void run_collect(char **fields)
{
    uint64_t wanted = strtoull(fields[1], NULL, 10), quiet = strtoull(fields[2], NULL, 10);
    uint64_t limit = deadline(fields[3]), since = now_ns(), seen = crowd.deliveries;
    while (crowd.deliveries < wanted && now_ns() < limit) {
        poll_until(limit);
        if (crowd.deliveries != seen) {
            seen = crowd.deliveries;
            since = now_ns();
        } else if (now_ns() - since > quiet * 1000000u) {
            break;
        }
    }
    answer();
}

static void run_resume(char **fields)
{
    unsigned wanted = (unsigned)strtoul(fields[1], NULL, 10);
    uint64_t limit = deadline(fields[2]);
    while (crowd.resumed < wanted && crowd.failed + crowd.closed < crowd.count && now_ns() < limit)
        poll_until(limit);
    answer();
}

static void obey(char **fields)
{
    const char *word = fields[0];
    struct member *last = crowd.count > 0 ? &crowd.members[crowd.count - 1] : NULL;
    if (strcmp(word, "socket") == 0) {
        describe_socket(fields);
    } else if (last != NULL && strcmp(word, "header") == 0) {
        describe_header(last, fields[1]);
    } else if (last != NULL && strcmp(word, "step") == 0) {
        add_step(&last->steps, &last->step_count, fields);
    } else if (last != NULL && strcmp(word, "message") == 0) {
        last->message = must_copy(fields[1]);
    } else if (strcmp(word, "server") == 0) {
        free(crowd.address);
        crowd.address = must_copy(fields[1]);
        crowd.port = atoi(fields[2]);
        crowd.sources = (unsigned)strtoul(fields[3], NULL, 10);
    } else if (strcmp(word, "answer") == 0) {
        add_step(&crowd.answers, &crowd.answer_count, fields);
    } else if (strcmp(word, "refusal") == 0) {
        free(crowd.refusal);
        crowd.refusal = must_copy(fields[1]);
    } else if (strcmp(word, "connect") == 0) {
        run_connect(fields);
    } else if (strcmp(word, "window") == 0) {
        crowd_new_window(&crowd, strtoull(fields[1], NULL, 10));
        answer();
    } else if (strcmp(word, "publish") == 0) {
        run_publish(fields);
    } else if (strcmp(word, "collect") == 0) {
        run_collect(fields);
    } else if (strcmp(word, "resume") == 0) {
        run_resume(fields);
    } else if (strcmp(word, "drop") == 0) {
        crowd_drop(&crowd);
        answer();
    } else {
        fprintf(stderr, "expected a command, got %s\n", word);
        exit(2);
    }
}

static void take_line(char *line)
{
    char *fields[FIELDS];
    char nothing[] = "";
    for (int i = 0; i < FIELDS; i++) {
        char *field = line == NULL ? nothing : strsep(&line, "\t");
        fields[i] = field;
    }
    obey(fields);
}

int main(void)
{
    crowd_open(&crowd);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    struct buffer input = {0};
    static char chunk[65536];
    for (;;) {
        size_t at = 0;
        char *end;
        while (at < input.length
               && (end = memchr(input.bytes + at, '\n', input.length - at)) != NULL) {
            *end = 0;
            take_line(input.bytes + at);
            at = (size_t)(end - input.bytes) + 1;
        }
        if (at > 0)
            buffer_take(&input, at);
        poll_until(now_ns() + TICK_NS);
        ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
        if (got == 0)
            return 0;
        if (got > 0)
            buffer_add(&input, chunk, (size_t)got);
    }
}
