/* The data sets that are known by name, an entry each.
 *
 * Sizes and sums of MNIST (first form: as it comes with Linnet; second: as its authors published it), Fashion-MNIST,
 * KMNIST and CIFAR-10 are those that TensorFlow Datasets records for the authors' files; for Fashion-MNIST and CIFAR-10
 * the authors' pages give the MD5 of the same files. */
#include "data/sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH(name) \
    { "cifar-10-batches-bin/", name, 30730000 }

const ln_set ln_sets[] = {
    {.name = "mnist",
     .title = "MNIST",
     .by = "Yann LeCun, Corinna Cortes and Christopher J. C. Burges",
     .licence = "CC BY-SA 3.0",
     .page = "http://yann.lecun.com/exdb/mnist/",
     .mirror = {"https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/"},
     .file = {{"train-images-idx3-ubyte.gz",
               {{"0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971", 9719438},
                {"440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422}}},
              {"train-labels-idx1-ubyte.gz",
               {{"1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203", 28857},
                {"3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881}}},
              {"t10k-images-idx3-ubyte.gz",
               {{"1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be", 1616508},
                {"8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877}}},
              {"t10k-labels-idx1-ubyte.gz",
               {{"b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b", 4517},
                {"f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542}}}}},
    {.name = "fashion-mnist",
     .title = "Fashion-MNIST",
     .by = "Han Xiao, Kashif Rasul and Roland Vollgraf (Zalando Research)",
     .licence = "MIT",
     .page = "https://github.com/zalandoresearch/fashion-mnist",
     .mirror = {"https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"},
     .file = {{"train-images-idx3-ubyte.gz",
               {{"3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880}}},
              {"train-labels-idx1-ubyte.gz",
               {{"a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515}}},
              {"t10k-images-idx3-ubyte.gz",
               {{"346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102}}},
              {"t10k-labels-idx1-ubyte.gz",
               {{"67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148}}}},
     .class_name = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                    "Ankle boot"}},
    {.name = "kmnist",
     .title = "KMNIST",
     .by = "the ROIS-DS Center for Open Data in the Humanities (CODH), adapted from the Kuzushiji Dataset (NIJL and "
           "others), doi:10.20676/00000341",
     .licence = "CC BY-SA 4.0",
     .page = "https://codh.rois.ac.jp/kmnist/",
     .mirror = {"https://codh.rois.ac.jp/kmnist/dataset/kmnist/"},
     .file = {{"train-images-idx3-ubyte.gz",
               {{"51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", 18165135}}},
              {"train-labels-idx1-ubyte.gz",
               {{"e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", 29497}}},
              {"t10k-images-idx3-ubyte.gz",
               {{"edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", 3041136}}},
              {"t10k-labels-idx1-ubyte.gz",
               {{"20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", 5120}}}},
     .class_name = {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"}},
    {.name = "cifar10",
     .title = "CIFAR-10",
     .by = "Alex Krizhevsky, Vinod Nair and Geoffrey Hinton",
     .licence = "none stated; its authors ask to cite \"Learning Multiple Layers of Features from Tiny Images\", 2009",
     .page = "https://www.cs.toronto.edu/~kriz/cifar.html",
     .mirror = {"https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/",
                "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/"},
     .file = {{"cifar-10-binary.tar.gz",
               {{"c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170052171}}}},
     .member = {BATCH("data_batch_1.bin"),
                BATCH("data_batch_2.bin"),
                BATCH("data_batch_3.bin"),
                BATCH("data_batch_4.bin"),
                BATCH("data_batch_5.bin"),
                BATCH("test_batch.bin"),
                {"cifar-10-batches-bin/", "batches.meta.txt", 0}}},
    {.name = NULL}};

const ln_set *ln_set_find(const char *name) {
    for (const ln_set *set = ln_sets; set->name; set++)
        if (strcmp(set->name, name) == 0) return set;
    return NULL;
}

bool ln_set_home(char *path, size_t size) {
    const char *const data = getenv("XDG_DATA_HOME"), *const home = getenv("HOME");
    int n = -1;
    if (data && data[0] == '/') n = snprintf(path, size, "%s/linnet", data);
    else if (home && *home) n = snprintf(path, size, "%s/.local/share/linnet", home);
    return n > 0 && (size_t)n < size;
}
