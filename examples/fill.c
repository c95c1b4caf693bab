/* SPDX-License-Identifier: MIT */
/* A caller's own buffer, initialised in three lines; no model file.
 *
 *     cc examples/fill.c $(pkg-config --cflags --libs sow) -o fill && ./fill
 *
 * Prints the first weights and their standard deviation, which he_normal sets to sqrt(2 / 256). */
#include <stdio.h>

#include <sow/sow.h>

static float weights[512 * 256]; /* (out, in) */

int main(void)
{
    struct sow_tensor fc1 = sow_tensor_linear(512, 256);
    struct sow_draw draw;
    if (sow_scheme_resolve("he_normal", NULL, 0, &fc1, &draw, NULL) != SOW_OK) {
        return 1;
    }
    sow_fill(weights, SOW_F32, 0, 512 * 256, &draw, sow_key("fc1.weight", 42));

    printf("std %.7f, weights %.7f %.7f %.7f ...\n", draw.std, weights[0], weights[1], weights[2]);
    return 0;
}
