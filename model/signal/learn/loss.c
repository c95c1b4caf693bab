/* SPDX-License-Identifier: MIT */
/* The loss over one batch, each row by one thread in double, the rows added in order. */
#include <stdlib.h>
#include <string.h>

#include "core/base/elementary.h"
#include "core/base/error.h"
#include "model/signal/learn/learn.h"

static const struct sow_flow *output_of(const struct sow_network *network)
{
    return &network->flows[network->outputs[network->output_count - 1]];
}

uint64_t sow_loss_bytes(const struct sow_network *network)
{
    return output_of(network)->elements * 2 * sizeof(float);
}

uint64_t sow_loss_labels(const struct sow_loss *loss)
{
    return loss->classes > 0 ? loss->rows : loss->elements;
}

enum sow_status sow_loss_make(const struct sow_network *network, struct sow_loss *loss,
                              struct sow_error *error)
{
    const struct sow_flow *output = output_of(network);
    uint64_t classes = sow_network_classes(network);
    uint64_t width = classes > 0 ? classes : sow_step_last(output);
    *loss = (struct sow_loss){.classes = classes,
                              .rows = width > 0 ? output->elements / width : 0,
                              .elements = output->elements};
    loss->labels = malloc((sow_loss_labels(loss) + 1) * sizeof *loss->labels);
    loss->gradient = malloc((loss->elements + 1) * sizeof *loss->gradient);
    loss->of_rows = malloc((loss->rows + 1) * sizeof *loss->of_rows);
    return loss->labels != NULL && loss->gradient != NULL && loss->of_rows != NULL
               ? SOW_OK
               : sow_fail(error, SOW_E_MEMORY, "out of memory");
}

void sow_loss_free(struct sow_loss *loss)
{
    free(loss->labels);
    free(loss->gradient);
    free(loss->of_rows);
}

struct job {
    struct sow_loss *loss;
    const float *output;
};

/* -ln softmax(z)[label], and (softmax(z) - onehot) / rows */
static double cross_entropy(const struct sow_loss *loss, const float *z, uint64_t label, float *to)
{
    double largest = (double)z[0], sum = 0, share = 1 / (double)loss->rows;
    for (uint64_t i = 1; i < loss->classes; i++) {
        largest = (double)z[i] > largest ? (double)z[i] : largest;
    }
    for (uint64_t i = 0; i < loss->classes; i++) {
        sum += sow_exp((double)z[i] - largest);
    }
    for (uint64_t i = 0; i < loss->classes; i++) {
        double p = sow_exp((double)z[i] - largest) / sum;
        to[i] = (float)((p - (i == label)) * share);
    }
    return sow_log(sum) - ((double)z[label] - largest);
}

/* Sum of (y - t)^2, and 2 (y - t) / elements */
static double squares(const struct sow_loss *loss, const float *y, const float *target, float *to,
                      uint64_t width)
{
    double sum = 0;
    for (uint64_t i = 0; i < width; i++) {
        double difference = (double)y[i] - (double)target[i];
        sum += difference * difference;
        to[i] = (float)(2 * difference / (double)loss->elements);
    }
    return sum;
}

static void rows_range(void *user, uint64_t begin, uint64_t end, float *scratch)
{
    const struct job *job = user;
    struct sow_loss *loss = job->loss;
    uint64_t width = loss->elements / loss->rows;
    (void)scratch;
    for (uint64_t row = begin; row < end; row++) {
        const float *from = job->output + row * width;
        float *to = loss->gradient + row * width;
        loss->of_rows[row] = loss->classes > 0
                                 ? cross_entropy(loss, from, (uint64_t)loss->labels[row], to)
                                 : squares(loss, from, loss->labels + row * width, to, width);
    }
}

double sow_loss_of(struct sow_loss *loss, struct sow_team *team, const float *output)
{
    struct job job = {loss, output};
    double sum = 0;
    if (loss->rows == 0) {
        return 0;
    }
    uint64_t width = loss->elements / loss->rows;
    sow_team_ranges(team, loss->rows, 1 + SOW_STEP_BLOCK / width, rows_range, &job);
    for (uint64_t row = 0; row < loss->rows; row++) {
        sum += loss->of_rows[row];
    }
    return sum / (double)(loss->classes > 0 ? loss->rows : loss->elements);
}
