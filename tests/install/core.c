/* SPDX-License-Identifier: MIT */
/* A program with weights of its own: the core alone, no third-party library. */
#include <stdio.h>
#include <sow/sow.h>

int main(void)
{
    float weights[3] = {0};
    struct sow_tensor fc1 = sow_tensor_linear(1, 3);
    struct sow_draw draw;
    struct sow_error error;
    if (sow_scheme_resolve("he_normal", NULL, 0, &fc1, &draw, &error) != SOW_OK) {
        return fprintf(stderr, "%s\n", error.message) > 0;
    }
    sow_fill(weights, SOW_F32, 0, 3, &draw, sow_key("fc1.weight", 42));
    return printf("%a %a %a\n", weights[0], weights[1], weights[2]) < 0;
}
