/* chart.h: curves over axes, with titles, units and a legend; several of them on a sheet. */
#ifndef LN_CLI_PLOT_CHART_H
#define LN_CLI_PLOT_CHART_H

#include "canvas.h"

/* n points. Those with a NaN are not there; one that is infinite breaks the line. */
typedef struct series {
    const char   *name;
    const double *x, *y;
    size_t        n;
    size_t        style; /* colour, dash, marker */
    bool          faint; /* for comparison only: grey */
} series;

typedef struct panel {
    const char   *title, *x_label, *y_label;
    const series *series;
    size_t        n_series;
    double        y_factor; /* what is drawn of a value: 100 for per cent */
    bool          counts;   /* x are whole numbers: no ticks between them */
} panel;

/* The part of the range that ticks lie at: first + i * step for i < n. Or, logarithmic, n values. */
typedef struct ticks { size_t n; double at[16]; int decimals; bool log; } ticks;
/* Nice ticks (1, 2 or 5 times a power of ten) within low to high, at most about `most` of them. */
ticks chart_ticks(double low, double high, size_t most, bool counts);
const char *chart_number(pool *owner, const ticks *t, double value);

/* The panel within b. Values that span more than a factor of 30, all positive, get a logarithmic axis. */
void chart_panel(canvas *c, box b, const panel *p);
/* Names of series in rows under each other or side by side from (x, y) on, within `width`; the height that they take.
 * Draws nothing where only_measure is set. */
double chart_legend(canvas *c, double x, double y, double width, const series *s, size_t n, bool only_measure);

/* Height of a sheet's heading, and the heading: a title, and a line below it that says more. */
enum { CHART_HEAD = 58 };
void chart_heading(canvas *c, const char *title, const char *more);

#endif
