/* cmd_plot.c: linnet plot and linnet report: what the command says of them. The program linnet-plot does the work. */
#include "program.h"

static int run(const arguments *a) { return program_become("plot", a); }

const verb verb_plot = {
    .name = "plot",
    .summary = "draw curves of runs, and what weights do, as PNG or SVG",
    .usage = "plot RUN ... | WEIGHTS [IMAGES] [what=PICTURE] [KEY=VALUE ...]",
    .help = "Of a run (runs/1), or of several to compare (the folder of a sweep stands for its\n"
            "runs; names among several that are no runs, or have no rows yet, are left out), draws\n"
            "loss and accuracy by epoch, or any columns of results.csv:\n"
            "\n"
            "  x=COLUMN        epoch, step, seconds (of training, from its beginning), or any\n"
            "                  other (epoch; step where there are rows of train.log_steps)\n"
            "  y=COLUMN,...    what to draw: train_accuracy, test_loss, lr, ... Without it: loss\n"
            "                  and accuracy in training and on validation and test images\n"
            "  seeds=mean      of runs that differ by their seeds alone, one curve: their mean\n"
            "\n"
            "With what=, of a run's last weights and its recipe's data (test images, or else\n"
            "validation, or else training images), or of a file of weights and IMAGES:\n"
            "\n"
            "  what=confusion   which labels get which answers: counts, and shares of the label\n"
            "  what=wrong       images that are answered wrongly, the surest first\n"
            "  what=filters     the weights of the first convolution\n"
            "  what=features    what image=N (or the first) is behind every layer\n"
            "  what=boundary    points in the plane, and the answer everywhere between them\n"
            "  what=histograms  values of weights, activations and gradients by layer\n"
            "  what=all         of a run: its curves and every picture that fits (train does it)\n"
            "\n"
            "  out=FILE         a name in .png or .svg, or the folder of what=all; otherwise\n"
            "                   PICTURE.png in the run's folder pictures/\n"
            "\n"
            "linnet help images says how IMAGES are named.\n"
            "\n"
            "  linnet plot runs/1\n"
            "  linnet plot runs/1 runs/2 x=step y=train_accuracy out=rates.svg\n"
            "  linnet plot runs/1 what=wrong\n"
            "  linnet plot runs/1/weights/last.safetensors mnist:test what=features image=7\n",
    .keys = (const char *const[]){"x", "y", "seeds", "out", "what", "image", NULL},
    .n_min = 1,
    .n_max = 256,
    .run = run,
};

const verb verb_report = {
    .name = "report",
    .summary = "one HTML page of a run: recipe, results, pictures, machine",
    .usage = "report RUN [out=FILE]",
    .help = "Writes one page that needs nothing beside it: the recipe, the table of results, every\n"
            "picture that linnet plot what=all draws, and the machine.\n"
            "\n"
            "  out=FILE  the page (report.html in the run's folder)\n"
            "\n"
            "  linnet report runs/1\n",
    .keys = (const char *const[]){"out", NULL},
    .n_min = 1,
    .n_max = 1,
    .run = run,
};
