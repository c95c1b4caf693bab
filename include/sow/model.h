/* SPDX-License-Identifier: MIT */
/* libsow-model: from a description of a model to a checkpoint, and back.
 *
 *     description -> sow_model -> (rules) -> sow_plan -> sow_init  -> safetensors
 *                                                     -> sow_verify (draw again, compare bit for bit)
 *
 * Everything here is opaque or plain data, owned by whoever made it. No call prints, exits or keeps global state;
 * a model is used by one thread at a time, a plan is read-only and may be shared. */
#ifndef SOW_MODEL_H
#define SOW_MODEL_H

#include "sow/sow.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Model: what is described --------------------------------------------------------------- */

struct sow_model; /* parameters, and the graph between them where the source has one; opaque */

struct sow_model_options {
    /* a folder of the user's own families, searched first; NULL for none */
    const char *recipes_dir;
    /* for a short form only: the activation between its layers, "tanh", "leaky_relu{slope=0.2}" or "expr{max(x, 0)}"
     * (NULL: relu), and the scheme of its weights, written as on the right of --set (NULL: the one that fits the
     * activation) */
    const char *activation, *scheme;
    const char
        *expression; /* instead of `activation`: what stands inside expr{...}; NULL for none */
    /* for a model.lua only: what its config{...} finds as the field "width"; 0: nothing */
    uint64_t width;
};

/* Reads a description: a Hugging Face config.json (or a folder with one), a model.lua, a safetensors file, a
 * model.safetensors.index.json, or the short form "mlp:IN,W1,W2xN,...,OUT", which needs no file. `options` may be
 * NULL. On success the caller owns *model.
 * Errors: SOW_E_IO, SOW_E_SYNTAX, SOW_E_CONFIG, SOW_E_SHAPE, SOW_E_FORMAT, with file, line and column where known;
 * SOW_E_ARGUMENT for a short form that is none, and for its options beside a file. */
SOW_API enum sow_status sow_model_load(const char *source, const struct sow_model_options *options,
                                       struct sow_model **model, struct sow_error *error);
SOW_API void sow_model_free(struct sow_model *model);

/* Family ("gpt2") or "" when there is none; lives as long as the model. */
SOW_API const char *sow_model_family(const struct sow_model *model);
/* Name and source of variant `index`, and whether it is the default; NULL past the end. */
struct sow_variant {
    const char *name, *source;
    int is_default;
};
SOW_API const struct sow_variant *sow_model_variant(const struct sow_model *model, size_t index);
/* What the reader assumed where the description left a choice ("head_dim is absent: 128, Qwen3Config's default");
 * NULL past the end. */
SOW_API const char *sow_model_note(const struct sow_model *model, size_t index);
/* Name of a family that has a built-in recipe; NULL past the end. */
SOW_API const char *sow_family_name(size_t index);

/* ---- Activations as text, and expressions: an activation of the user's own ---------------------- */

/* `text` is NAME or NAME{parameter=number,...}, such as "leaky_relu{slope=0.2}"; as sow_function_named from there on.
 * SOW_E_ARGUMENT when it is no such text. */
SOW_API enum sow_status sow_function_parse(const char *text, struct sow_function *function,
                                           struct sow_error *error);

struct sow_expression; /* an expression of x, written as in Lua; opaque, immutable */

/* `text`, at most 1000 characters, is such as "x * tanh(log(1 + exp(x)))": arithmetic with ^, comparisons
 * (x > 0 and x or 0), exp, log, sqrt, min, max, pow, pi, and every activation by its name (docs/activations.md). The
 * caller owns *expression. SOW_E_ARGUMENT, with the character, when it is no expression that gives a number. */
SOW_API enum sow_status sow_expression_load(const char *text, struct sow_expression **expression,
                                            struct sow_error *error);
SOW_API void sow_expression_free(struct sow_expression *expression);
/* The expression as a function, with its exact derivative; it must outlive *function. `kinks` as for
 * sow_function_own: NULL to have them found. SOW_E_ARGUMENT when it is not finite on the line. */
SOW_API enum sow_status sow_expression_function(struct sow_expression *expression,
                                                const double *kinks, size_t kink_count,
                                                struct sow_function *function,
                                                struct sow_error *error);

/* ---- Plan: what will be drawn ---------------------------------------------------------------- */

struct sow_plan; /* opaque, immutable */

struct sow_plan_options {
    uint64_t seed;
    /* of every parameter the model does not fix; 0: the config's own dtype, else f32 */
    enum sow_dtype dtype;
    const char *variant; /* NULL: the family's default */
    /* "GLOB=scheme{...}", first match wins, before the rules file and the variant */
    const char *const *sets;
    size_t set_count;
    const char *rules_file; /* a Lua file of rule(...) lines; NULL for none */
    int may_shadow;         /* a rule to which earlier ones leave no tensor is no error */
};

/* A slice of a tensor that is drawn with other numbers than the rest: indices [begin, end) of one axis. Blocks of a
 * fused weight and zeroed padding rows are regions. */
struct sow_region {
    uint32_t axis;
    uint64_t begin, end;
    struct sow_draw draw;
    double fan_in, fan_out; /* NAN when there are none */
};

/* One parameter. Strings live as long as the plan. */
struct sow_plan_entry {
    const char *name;
    const char *key; /* the name it is drawn as; equals name unless the recipe says otherwise */
    struct sow_tensor tensor;
    enum sow_dtype dtype;
    int32_t layer;           /* -1 outside repeated layers */
    const char *scheme;      /* "normal", or "glorot_uniform": the catalogue's name */
    const char *scheme_text; /* as resolved: "normal{std=0.02}" */
    struct sow_draw draw;
    const struct sow_region *regions; /* later ones win */
    size_t region_count;
    /* NAN when the tensor has none; of one block where all blocks are alike */
    double fan_in, fan_out;
    const char *rule; /* the glob that matched; "buffer" for a buffer that its layer starts */
    const char
        *rule_file; /* where it stands: "gpt2.lua", "--set", ...; "layer" for such a buffer */
    uint32_t rule_line;
    const char *reason; /* in words */
    uint64_t elements, bytes;
};

/* Applies the rules to the model. SOW_E_RULE when a tensor has no rule or a rule no tensor; SOW_E_ARGUMENT for a bad
 * --set. The plan does not refer to the model afterwards. */
SOW_API enum sow_status sow_plan_make(struct sow_model *model,
                                      const struct sow_plan_options *options,
                                      struct sow_plan **plan, struct sow_error *error);
SOW_API void sow_plan_free(struct sow_plan *plan);

SOW_API size_t sow_plan_count(const struct sow_plan *plan);
SOW_API const struct sow_plan_entry *sow_plan_at(const struct sow_plan *plan, size_t index);
SOW_API const struct sow_plan_entry *sow_plan_find(const struct sow_plan *plan, const char *name,
                                                   struct sow_error *error); /* did-you-mean */
/* Share of the elements, 0 to 1, that are drawn as something else than 0 and become 0 in the entry's dtype, whose least
 * number is larger. 0 where regions replace the draw, and for integers. */
SOW_API double sow_plan_underflow(const struct sow_plan_entry *entry);
/* The least number above 0 of a dtype: 2^-24 of f16. 0 for integers. */
SOW_API double sow_dtype_least(enum sow_dtype dtype);
SOW_API uint64_t sow_plan_seed(const struct sow_plan *plan);
/* Elements of all tensors but the buffers, as frameworks count parameters; and those of the buffers. A plan from a
 * record (sow_verify) does not know which tensors are buffers and counts them among the parameters. */
SOW_API uint64_t sow_plan_parameters(const struct sow_plan *plan);
SOW_API uint64_t sow_plan_buffers(const struct sow_plan *plan);
SOW_API uint64_t sow_plan_bytes(const struct sow_plan *plan);
/* 32 hex digits: XXH3-128 of what is drawn (stream, seed, names, shapes, dtypes, numbers), not of words about it. */
SOW_API const char *sow_plan_hash(const struct sow_plan *plan);
/* The canonical plan (docs/plan.md); the caller frees it with sow_text_free. */
SOW_API enum sow_status sow_plan_json(const struct sow_plan *plan, char **text,
                                      struct sow_error *error);
/* For people: formula with numbers, where each came from, the first values. Freed with sow_text_free. */
SOW_API enum sow_status sow_plan_explain(const struct sow_plan *plan, const char *tensor,
                                         char **text, struct sow_error *error);
SOW_API void sow_text_free(char *text);
/* Elements [first, first + count) of an entry, regions included; dst as for sow_fill. Cannot fail. NaN where a draw
 * is whole: sow_plan_draw_whole. */
SOW_API void sow_plan_fill(const struct sow_plan_entry *entry, uint64_t seed, void *dst,
                           uint64_t first, uint64_t count);
/* Nonzero when an entry, or a block of it, is drawn as a whole (sow_draw_is_whole): no range of it alone. */
SOW_API int sow_plan_is_whole(const struct sow_plan_entry *entry);
/* All elements of any entry, regions included; dst has entry->bytes. SOW_E_MEMORY. One thread. */
SOW_API enum sow_status sow_plan_draw_whole(const struct sow_plan_entry *entry, uint64_t seed,
                                            void *dst, struct sow_error *error);

/* ---- Init: plan to files ----------------------------------------------------------------------- */

/* Called now and then from one thread while bytes flow; `user` is the caller's. */
typedef void sow_progress_fn(void *user, uint64_t done_bytes, uint64_t total_bytes);

struct sow_init_options {
    /* a file, a folder when shard_bytes is set, or "-" for stdout's descriptor */
    const char *output;
    uint64_t shard_bytes; /* 0: one file */
    uint64_t chunk_bytes; /* 0: the default (4 MiB) */
    uint32_t threads;     /* 0: all */
    int force;            /* overwrite */
    int dry_run;          /* compute everything, check space, write nothing */
    sow_progress_fn *progress;
    void *progress_user;
    const volatile int *interrupted; /* nonzero: stop, clean up, SOW_E_INTERRUPTED; may be NULL */
};

struct sow_init_report {
    uint64_t files, tensors, bytes; /* bytes of the files, headers included */
    /* on the output's file system before writing; UINT64_MAX for a pipe */
    uint64_t free_bytes;
    /* of memory at the most, beyond the ring of chunks, for tensors that are drawn as a whole */
    uint64_t whole_bytes;
    double seconds;
    /* 32 hex digits: XXH3-128 of the files' bytes in order, independent of threads */
    char fingerprint[33];
    char notes[1024]; /* hints the system refused, one a line */
};

SOW_API enum sow_status sow_init(const struct sow_plan *plan,
                                 const struct sow_init_options *options,
                                 struct sow_init_report *report, struct sow_error *error);

/* ---- Verify: files back to the plan -------------------------------------------------------------- */

struct sow_verify_options {
    const struct sow_plan *plan; /* NULL: from the record in the file */
    uint32_t threads;
    sow_progress_fn *progress;
    void *progress_user;
    const volatile int *interrupted;
};

struct sow_verify_report {
    uint64_t files, tensors, bytes;
    uint64_t seed;
    double seconds;
    char plan_hash[33];
    char fingerprint[33];
    /* The first difference, when there is one: */
    char tensor[512];
    uint64_t element;
    char expected[40],
        found[40]; /* bits in hex and the value; empty where shape or dtype differs */
    uint64_t differing_tensors;
    char warnings[1024]; /* shards the index does not name, one a line */
};

/* `path`: a safetensors file, a folder, or an index. SOW_OK when all bytes agree; SOW_E_MISMATCH when they do not
 * (report filled); SOW_E_MISSING when there is no record or a shard is missing; SOW_E_FORMAT, SOW_E_IO. */
SOW_API enum sow_status sow_verify(const char *path, const struct sow_verify_options *options,
                                   struct sow_verify_report *report, struct sow_error *error);

/* ---- Statistics: what is in a checkpoint ---------------------------------------------------------- */

#define SOW_HISTOGRAM_BINS 64

/* One tensor's numbers. They are those of the stored values, of the finite ones only where they are no counts, and
 * the same for any number of threads. Strings live as long as the statistics. */
struct sow_tensor_statistics {
    const char *name;
    const char *file; /* base name */
    enum sow_dtype dtype;
    uint32_t rank;
    uint64_t shape[SOW_RANK_MAX];
    uint64_t elements, bytes;
    /* c64 and types below 8 bits: nothing of what follows is known (counts 0, numbers NAN) */
    int is_opaque;

    uint64_t finite, nan, inf; /* they add up to elements */
    uint64_t zeros;            /* +0 and -0 */
    /* index of the first NaN or infinity; UINT64_MAX when there is none */
    uint64_t first_bad;
    double first;            /* element 0, as it is */
    double min, max;         /* NAN when nothing is finite, as all that follow */
    uint64_t at_min, at_max; /* elements that equal it */
    double mean, std;        /* std divides by the count, not by the count - 1 */
    /* third and fourth standardised moment (normal: 0 and 3; uniform: 1.8); NAN at std 0 */
    double skewness, kurtosis;
    int is_constant; /* all elements are finite and equal */

    /* [low, high] is [min, max], cut at four std from the mean, in equal bins; a stored value is counted as spread
     * over the numbers that round to it. No bins when min = max. */
    double histogram_low, histogram_high;
    uint64_t below, above, histogram[SOW_HISTOGRAM_BINS];
};

struct sow_statistics_options {
    /* only tensors that one of them matches, the rest is not read; none: all */
    const char *const *globs;
    size_t glob_count;
    uint32_t threads;
    sow_progress_fn *progress;
    void *progress_user;
    const volatile int *interrupted;
};

struct sow_statistics; /* opaque, immutable */

/* Reads a checkpoint once: a safetensors file, a folder, or an index. `options` may be NULL. SOW_E_MISSING when a shard
 * is, before anything is read; SOW_E_ARGUMENT for a glob that matches nothing; SOW_E_FORMAT, SOW_E_IO. */
SOW_API enum sow_status sow_statistics_load(const char *path,
                                            const struct sow_statistics_options *options,
                                            struct sow_statistics **statistics,
                                            struct sow_error *error);
SOW_API void sow_statistics_free(struct sow_statistics *statistics);
/* By file, then by place in it; NULL past the end. */
SOW_API const struct sow_tensor_statistics *
sow_statistics_at(const struct sow_statistics *statistics, size_t index);
struct sow_statistics_report {
    uint64_t files, tensors, bytes; /* tensors and bytes that were read */
    double seconds;
    char warnings[1024]; /* shards the index does not name, one a line */
};
SOW_API const struct sow_statistics_report *
sow_statistics_report(const struct sow_statistics *statistics);

/* ---- Diff: two checkpoints --------------------------------------------------------------------------- */

enum sow_diff_kind {
    SOW_DIFF_ONLY_A = 1, /* the name is in one of them only */
    SOW_DIFF_ONLY_B,
    SOW_DIFF_SHAPE,
    SOW_DIFF_DTYPE, /* same shape; then the values are compared, not the bits */
    SOW_DIFF_BITS,
    SOW_DIFF_METADATA, /* `name` is the key */
};

/* One thing that differs. Strings live as long as the diff; NULL where there is none. */
struct sow_difference {
    enum sow_diff_kind kind;
    const char *name;
    /* NULL on the side that lacks it, and for metadata; of SOW_DIFF_SHAPE, ONLY_A and ONLY_B without
     * numbers: nothing was read */
    const struct sow_tensor_statistics *a, *b;
    const char *text_a, *text_b; /* of metadata */

    /* elements whose bits (SOW_DIFF_DTYPE: values) differ; NaN equals NaN by bits */
    uint64_t differing;
    uint64_t first;          /* index of the first of them; UINT64_MAX when there is none */
    double first_a, first_b; /* its values */
    /* |a - b| over those of them where both are finite; else NAN */
    double distance_max, distance_mean;
    /* representable values between them, +0 and -0 being one; of floating types of one dtype, else NAN */
    double ulp_max, ulp_mean;
    /* std of b over that of a; (mean of b - mean of a) over std of a; else NAN */
    double std_ratio, mean_shift;
};

struct sow_diff; /* opaque, immutable */

struct sow_diff_report {
    uint64_t tensors, equal; /* in both, and bit for bit alike */
    uint64_t bytes;          /* compared, of one side */
    double seconds;
    char warnings[1024];
};

/* SOW_OK when both could be read, whatever differs: they are equal when there is no difference at index 0. Metadata is
 * compared where both have as many files and no glob selects tensors. Errors as of sow_statistics_load. */
SOW_API enum sow_status sow_diff_load(const char *a, const char *b,
                                      const struct sow_statistics_options *options,
                                      struct sow_diff **diff, struct sow_error *error);
SOW_API void sow_diff_free(struct sow_diff *diff);
/* NULL past the end */
SOW_API const struct sow_difference *sow_diff_at(const struct sow_diff *diff, size_t index);
SOW_API const struct sow_diff_report *sow_diff_report(const struct sow_diff *diff);

#ifdef __cplusplus
}
#endif
#endif
