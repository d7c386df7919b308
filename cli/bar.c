/* bar.c: how far something is, as a line. */
#include "bar.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

enum { BAR_MAX = 40, BAR_MIN = 5 };

static const double BAR_INTERVAL = 0.1;

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bar bar_start(bool prefers_output) {
    bar b = {.to = stdout, .look = terminal_of(stdout)};
    if (!prefers_output || !b.look.is_terminal) {
        b.to = stderr;
        b.look = terminal_of(stderr);
    }
    if (!b.look.is_terminal) b.drawn = seconds_now();
    return b;
}

bool bar_due(bar *b) {
    const double time = seconds_now();
    if (time - b->drawn < (b->look.is_terminal ? BAR_INTERVAL : BAR_MINUTE)) return false;
    b->drawn = time;
    return true;
}

const char *bar_left(pool *owner, double seconds, double share) {
    if (!(share > 0)) return ""; /* nobody knows yet */
    const double             left = seconds * (1 / share - 1);
    const unsigned long long s = left > 0 ? (unsigned long long)(left + 0.5) : 0;
    if (s >= 3600) return pool_format(owner, "%llu:%02llu:%02llu left", s / 3600, s / 60 % 60, s % 60);
    return pool_format(owner, "%llu:%02llu left", s / 60, s % 60);
}

static void add_marks(text *line, const terminal *look, double share, size_t width) {
    const size_t full = (size_t)(share * (double)width);
    text_add(line, "%s%s", look->utf8 ? "" : "[", terminal_style(look, STYLE_GOOD));
    for (size_t i = 0; i < full; i++) text_add(line, "%s", look->utf8 ? "━" : "#");
    text_add(line, "%s%s", terminal_style(look, STYLE_PLAIN), terminal_style(look, STYLE_DIM));
    for (size_t i = full; i < width; i++) text_add(line, "%s", look->utf8 ? "─" : "-");
    text_add(line, "%s%s", terminal_style(look, STYLE_PLAIN), look->utf8 ? "" : "]");
}

/* The last column stays free, or the line would wrap. */
static void draw_over(bar *b, const char *head, double share, const text *figures, size_t width) {
    const size_t used = strlen(head) + figures->n + 4; /* a space, the marks' ends, the last column */
    text         line = {0};
    text_add(&line, "\r%s ", head);
    if (used + BAR_MIN <= width) add_marks(&line, &b->look, share, width - used < BAR_MAX ? width - used : BAR_MAX);
    text_add(&line, "%s\033[K", figures->n ? figures->bytes : "");
    fputs(line.bytes, b->to);
    fflush(b->to);
    b->visible = true;
    text_free(&line);
}

void bar_draw(bar *b, const char *head, double share, const char *const *figures, size_t n) {
    const size_t width = b->look.is_terminal ? terminal_width(b->to) : SIZE_MAX;
    text         line = {0};
    for (size_t i = 0; i < n; i++)
        if (*figures[i] && strlen(head) + line.n + strlen(figures[i]) + 4 <= width) text_add(&line, "  %s", figures[i]);
    if (!b->look.is_terminal) fprintf(b->to, "linnet: %s%s\n", head, line.n ? line.bytes : "");
    else if (strlen(head) + 2 <= width) draw_over(b, head, share, &line, width);
    text_free(&line);
}

void bar_clear(bar *b) {
    if (b->visible) fputs("\r\033[K", b->to), fflush(b->to);
    b->visible = false;
}
