/* machine.h: what this machine is called. */
#ifndef LN_CLI_MACHINE_H
#define LN_CLI_MACHINE_H

#include "text.h"

/* The processor's name as the system gives it, in plain characters, or its kind ("aarch64"). */
const char *machine_processor(pool *owner);

#endif
