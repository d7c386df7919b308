/* program.h: verbs that are programs of their own beside the command, as what they need (cairo, ...) would cost every
 * other verb start-up time and memory. The command takes the words apart and refuses what is wrong as for any verb,
 * then becomes linnet-NAME, which is given them in one order: VERB, flags, KEY=VALUE, "--", words. */
#ifndef LN_CLI_PROGRAM_H
#define LN_CLI_PROGRAM_H

#include "cli.h"

/* The path of linnet-NAME: beside the command, or in libexec/linnet of the place it is installed in; NULL: nowhere. */
const char *program_find(const char *name, pool *owner);
/* The path of the command, for the programs beside it; NULL: nowhere. */
const char *program_command(pool *owner);
/* Becomes linnet-NAME. Comes back only with STATUS_FAILED, after a message. */
int program_become(const char *name, const arguments *a);

/* Starts linnet-NAME at low priority with words (NULL-terminated, from its verb on). It says nothing: its exit status
 * does. The process's number, or -1. */
long program_start(const char *name, const char *const *words, pool *owner);
/* Waits for it, but no longer than the seconds, or until *stop (may be NULL) is set. -1: it still runs; otherwise its
 * exit status, and 1 where a signal ended it. */
int program_wait(long process, double seconds, const volatile int *stop);

/* main() of such a program, whose verbs run their functions here. */
typedef struct program_verb { const verb *verb; int (*run)(const arguments *a); } program_verb;
int program_main(int argc, char **argv, const program_verb *verbs, size_t n);

#endif
