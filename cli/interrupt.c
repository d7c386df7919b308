/* interrupt.c: signals as a wish. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A signal handler can reach nothing else. */
static volatile sig_atomic_t stop_asked;

/* The first signal ends the work at its next pause, which may take long; the second one ends it here and now. */
static void on_signal(int number) {
    if (stop_asked) {
        signal(number, SIG_DFL);
        raise(number); /* arrives when this handler returns */
    }
    stop_asked = 1;
}

void interrupt_listen(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored, no child could be waited for */
}

bool interrupt_asked(void) { return stop_asked; }

const volatile int *interrupt_anew(void) {
    stop_asked = 0;
    return &stop_asked;
}
