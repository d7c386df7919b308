/* cmd_sweep.c: linnet sweep: what the command says of it. The program linnet-sweep does the work. */
#include "program.h"

static int run(const arguments *a) { return program_become("sweep", a); }

const verb verb_sweep = {
    .name = "sweep",
    .summary = "train a recipe with many settings, several at a time, and rank them",
    .usage = "sweep RECIPE KEY=VALUES ... [KEY=VALUE ...] | sweep FOLDER [by=COLUMN] [at=last|best]",
    .help = "Trains RECIPE with every combination of the VALUES, each as linnet train would, and\n"
            "prints a table of what came out, best first. Given again, the same words go on where\n"
            "a sweep stopped, however it did; with more values, they add the runs that lack.\n"
            "Of the FOLDER of a sweep the table is printed anew.\n"
            "\n"
            "VALUES, with commas between them:\n"
            "\n"
            "  0.001,0.002,0.005   a list of values\n"
            "  1..5                whole numbers, with both ends\n"
            "  0.1..0.5:0.1        with the step behind the colon\n"
            "  log:1e-4..1e-1:4    four values, each as many times the one before\n"
            "  0.1..0.5            anything between, and log:1e-4..1e-1 by its logarithm: to draw\n"
            "                      from, with samples=\n"
            "  [0, 1],[0, 1, 2]    commas in brackets separate nothing; brackets round a whole\n"
            "                      value are taken off\n"
            "\n"
            "  samples=N       draws N settings instead of running all, by the recipe's seed: the\n"
            "                  same words draw the same, and more samples begin with the same\n"
            "  repeats=N       runs each setting with N seeds, from the recipe's on\n"
            "  jobs=N          runs at a time; otherwise as many as fill the processors, when each\n"
            "                  has as many threads as its network keeps busy\n"
            "  by=COLUMN       of results.csv, to rank by; otherwise the first that there is of\n"
            "                  val_accuracy, test_accuracy and train_accuracy; highest accuracies\n"
            "                  and lowest other values first; seconds: of training\n"
            "  at=best         takes the column's best epoch; otherwise its last\n"
            "  name=NAME       of the sweep's folder; otherwise sweep_ and the recipe's name\n"
            "  project=FOLDER  where that folder is made (runs)\n"
            "  KEY=VALUE       overrides the recipe in all runs\n"
            "\n"
            "  --list          names the runs, and trains none\n"
            "\n"
            "A sweep has at most 10000 runs. They lie in runs/NAME/001, 002, ..., as linnet train\n"
            "leaves them, without pictures unless pictures=true asks for them, with what each said\n"
            "in log.txt. A run that diverges is a result, and named in the table; one that fails is\n"
            "tried again by the same words. runs/NAME/sweep.db is a SQLite database: settings\n"
            "(setting, key, value), runs (run, setting, seed, state, message, seconds, recipe) and\n"
            "results (run, row, and the columns of results.csv). comparison.png has the curves of\n"
            "the ten best settings.\n"
            "\n"
            "Ctrl-C (or SIGTERM, SIGHUP) ends the runs after their step; a second one at once.\n"
            "\n"
            "  linnet sweep recipes/lenet5.yaml lr=0.005,0.01,0.02 batch=32,64 repeats=3\n"
            "  linnet sweep recipes/spirals.yaml lr=log:1e-4..1e-1 layers.1='linear 16','linear 64'\n"
            "                                    samples=20 name=search\n"
            "  linnet sweep runs/search by=test_loss at=best\n",
    .flags = (const char *const[]){"--list", NULL},
    .keys = (const char *const[]){"name", "project", "repeats", "samples", "jobs", "by", "at", NULL},
    .n_min = 1,
    .n_max = 1,
    .overrides = true,
    .run = run,
};
