/* report.h: a run as one HTML page that needs nothing beside it. */
#ifndef LN_CLI_PLOT_REPORT_H
#define LN_CLI_PLOT_REPORT_H

#include "picture.h"

/* The page of the run s, added to a text. */
bool report_write(const subject *s, text *page, ln_error *error);

#endif
