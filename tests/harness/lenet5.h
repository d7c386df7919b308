/* LeNet-5's layers, for everything here that builds it: a list for an array of lines. init: what its convolutions'
 * lines end with, such as " init=normal std=1", or "". */
#ifndef LN_TESTS_LENET5_H
#define LN_TESTS_LENET5_H

#define LENET5(activation, pooling, init)                                                                      \
    "conv2d 6 kernel=5 padding=2" init, activation, pooling, "conv2d 16 kernel=5" init, activation, pooling, \
        "flatten", "linear 120", activation, "linear 84", activation, "linear 10"

#endif
