/* SPDX-License-Identifier: MIT */
/* Pictures through gnuplot, a program of its own that need not be there: data and script are files beside the picture, and
 * stay. gnuplot gets one script in one folder, none of the user's settings, and its words only when it fails. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/text/message.h"
#include "picture.h"

#define NOT_FOUND 127 /* what a shell says, too */
#define STOPPED   130 /* by a signal, which gnuplot had too or is given */

static int fail(enum sow_status code, const char *file, const char *message)
{
    struct sow_error error = {.code = code};
    snprintf(error.file, sizeof error.file, "%s", file);
    snprintf(error.message, sizeof error.message, "%s", message);
    return sow_cli_fail(&error);
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

int sow_cli_write_file(const char *path, const char *bytes, size_t length)
{
    struct sow_cli_text name = {0};
    int failed;
    sow_cli_add(&name, "%s.part-%ld", path, (long)getpid());
    int file = open(name.bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *stream = file >= 0 ? fdopen(file, "w") : NULL;
    if (stream == NULL) {
        failed = 1;
    } else {
        failed = fwrite(bytes, 1, length, stream) != length;
        failed |= fclose(stream) != 0;
        failed = failed || rename(name.bytes, path) != 0;
    }
    int reason = errno;
    if (failed && file >= 0) {
        unlink(name.bytes);
    }
    sow_cli_text_free(&name);
    errno = reason;
    return failed ? -1 : 0;
}

/* ---- gnuplot ------------------------------------------------------------------------------------------------------ */

static void exec_gnuplot(const char *folder, const char *script, const char *set, int words)
{
    if (dup2(words, STDERR_FILENO) >= 0 && chdir(folder) == 0) {
        execlp("gnuplot", "gnuplot", "-d", "-e", set, script, (char *)NULL);
    }
    _exit(errno == ENOENT || errno == EACCES ? NOT_FOUND : 126);
}

/* Runs `script` in `folder` after the assignments `set`. Returns 0, NOT_FOUND, STOPPED, or another code with the last line that
 * gnuplot wrote in `why`. */
static int run_gnuplot(const char *folder, const char *script, const char *set,
                       struct sow_cli_text *why)
{
    const volatile int *stop = sow_cli_interrupts();
    int ends[2], status = 0, before = *stop;
    char bytes[4096];
    ssize_t got;
    fflush(stdout);
    if (pipe(ends) != 0) {
        sow_cli_add(why, "%s", strerror(errno));
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        exec_gnuplot(folder, script, set, ends[1]);
    }
    close(ends[1]);
    while (child > 0 &&
           ((got = read(ends[0], bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))) {
        if (got > 0 && why->length < 1 << 16) {
            sow_cli_add_bytes(why, bytes, (size_t)got);
        } else if (got < 0 && *stop != before) {
            kill(child, SIGTERM);
        }
    }
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (*stop != before) {
        return STOPPED;
    }
    if (child > 0 && WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    sow_cli_add(why, child < 0 ? "no process could be started" : "it was killed");
    return 1;
}

/* The last line of text that is not empty. */
static const char *last_line(struct sow_cli_text *text)
{
    while (text->length > 0 && strchr("\n ", text->bytes[text->length - 1]) != NULL) {
        text->bytes[--text->length] = '\0';
    }
    const char *line = text->length > 0 ? strrchr(text->bytes, '\n') : NULL;
    return line != NULL ? line + 1 : text->length > 0 ? text->bytes : "it did not say why";
}

/* ---- --plot ---------------------------------------------------------------------------------------------------------- */

static int is_term(const struct sow_cli_options *options)
{
    return strcmp(options->plot, "term") == 0;
}

static const char *ending_of(const char *path)
{
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    int has_stem = dot != NULL && dot > path && (slash == NULL || dot > slash + 1);
    return has_stem && (strcmp(dot, ".svg") == 0 || strcmp(dot, ".png") == 0) ? dot + 1 : NULL;
}

/* `path` with another ending. */
static void add_beside(struct sow_cli_text *text, const char *path, const char *ending)
{
    sow_cli_add_bytes(text, path, strlen(path) - 3);
    sow_cli_add(text, "%s", ending);
}

int sow_cli_check_plot(const struct sow_cli_options *options)
{
    static const char *const endings[] = {"svg", "png", "csv", "gp"};
    if (options->plot == NULL) {
        return SOW_EXIT_DONE;
    }
    if (is_term(options)) {
        return options->json || options->csv
                   ? sow_cli_usage(options->verb,
                                   "--plot term and --%s both want standard output: "
                                   "plot to a file, such as --plot out.svg",
                                   options->json ? "json" : "csv")
                   : SOW_EXIT_DONE;
    }
    if (ending_of(options->plot) == NULL) {
        return sow_cli_usage(options->verb,
                             "--plot: '%s' is no picture: write NAME.svg, NAME.png "
                             "or term",
                             options->plot);
    }
    for (const char *c = options->plot; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return sow_cli_usage(options->verb, "--plot: the name has a control character");
        }
    }
    for (size_t i = ending_of(options->plot)[0] == 's' ? 0 : 1; !options->force && i < 4; i++) {
        struct sow_cli_text path = {0};
        struct stat state;
        int code = SOW_EXIT_DONE;
        add_beside(&path, options->plot, endings[i]);
        if (lstat(path.bytes, &state) == 0 && (i > 1 || strcmp(path.bytes, options->plot) == 0)) {
            code = fail(SOW_E_EXISTS, path.bytes,
                        "exists already; --force overwrites it, or choose another name for --plot");
        }
        sow_cli_text_free(&path);
        if (code != SOW_EXIT_DONE) {
            return code;
        }
    }
    return SOW_EXIT_DONE;
}

/* Folder and name without ending of a path; the folder of "a.svg" is ".". */
static void split(const char *path, struct sow_cli_text *folder, struct sow_cli_text *stem)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    sow_cli_add_bytes(folder, slash != NULL ? path : ".",
                      slash != NULL ? (size_t)(name - path) : 1);
    sow_cli_add_bytes(stem, name, strlen(name) - 4);
}

static int write_beside(const char *path, const char *ending, const struct sow_cli_text *content)
{
    struct sow_cli_text name = {0};
    int code = SOW_EXIT_DONE;
    add_beside(&name, path, ending);
    if (sow_cli_write_file(name.bytes, content->bytes, content->length) != 0) {
        code = fail(SOW_E_IO, name.bytes, strerror(errno));
    }
    sow_cli_text_free(&name);
    return code;
}

static void remove_beside(const char *path, const char *ending)
{
    struct sow_cli_text name = {0};
    add_beside(&name, path, ending);
    unlink(name.bytes);
    sow_cli_text_free(&name);
}

static void add_missing(struct sow_cli_text *text, const char *data)
{
    sow_cli_add(text, "there is no picture, for gnuplot is not installed: install it (Debian: apt "
                      "install gnuplot-nox)");
    if (data != NULL) {
        sow_cli_add(text, "; data and script are written, so that %s draws it then", data);
    }
}

/* Draws with the script at `path`, whose data lies beside it; the picture appears whole or not at all. */
static int draw(const char *path, const char *folder, const char *stem)
{
    struct sow_cli_text set = {0}, part = {0}, why = {0}, message = {0}, script = {0};
    int code = SOW_EXIT_DONE;
    const char *kind = path + strlen(path) - 3;
    sow_cli_add(&part, "./%s.part-%ld", stem, (long)getpid());
    sow_cli_add(&set, "kind='%s'; out=", kind);
    sow_cli_add_gnuplot(&set, part.bytes);
    sow_cli_add(&script, "./%s.gp", stem);
    int result = run_gnuplot(folder, script.bytes, set.bytes, &why);
    sow_cli_text_clear(&part);
    sow_cli_add(&part, "%s/%s.part-%ld", folder, stem, (long)getpid());
    if (result == STOPPED) {
        code = sow_cli_interrupted_code();
        unlink(part.bytes);
    } else if (result == NOT_FOUND) {
        sow_cli_text_clear(&set);
        sow_cli_add(&set, "gnuplot ");
        sow_cli_add_shell(&set, script.bytes);
        add_missing(&message, set.bytes);
    } else if (result != 0) {
        sow_cli_add(&message, "gnuplot could not draw it: %s", last_line(&why));
    } else if (rename(part.bytes, path) != 0) {
        sow_cli_add(&message, "%s", strerror(errno));
    }
    if (message.length > 0) {
        code = fail(SOW_E_IO, path, message.bytes);
        unlink(part.bytes);
    }
    sow_cli_text_free(&set);
    sow_cli_text_free(&part);
    sow_cli_text_free(&why);
    sow_cli_text_free(&message);
    sow_cli_text_free(&script);
    return code;
}

static int draw_file(const struct sow_cli_runs *runs, const struct sow_cli_options *options)
{
    struct sow_cli_text folder = {0}, stem = {0}, data = {0}, script = {0};
    const char *path = options->plot;
    split(path, &folder, &stem);
    sow_cli_add_picture_data(&data, runs);
    sow_cli_add_picture_script(&script, runs, stem.bytes, ending_of(path));
    int code = write_beside(path, "csv", &data);
    code = code == SOW_EXIT_DONE ? write_beside(path, "gp", &script) : code;
    code = code == SOW_EXIT_DONE ? draw(path, folder.bytes, stem.bytes) : code;
    if (code == sow_cli_interrupted_code()) { /* the next run finds the names free */
        remove_beside(path, "csv");
        remove_beside(path, "gp");
    }
    if (code == SOW_EXIT_DONE && !options->quiet) {
        struct sow_cli_text text = {0};
        sow_cli_add(&text, "%s, with its data and script beside it: ", path);
        add_beside(&text, path, "csv");
        sow_cli_add(&text, ", ");
        add_beside(&text, path, "gp");
        sow_cli_say("wrote", text.bytes);
        sow_cli_text_free(&text);
    }
    sow_cli_text_free(&folder);
    sow_cli_text_free(&stem);
    sow_cli_text_free(&data);
    sow_cli_text_free(&script);
    return code;
}

/* Draws in a folder of its own, which goes away. Returns what gnuplot does; `out` is where the picture went. */
static int draw_apart(const struct sow_cli_runs *runs, const char *kind, struct sow_cli_text *out,
                      struct sow_cli_text *why)
{
    const char *base = getenv("TMPDIR");
    struct sow_cli_text folder = {0}, data = {0}, script = {0}, path = {0}, set = {0};
    int result = 1;
    sow_cli_add(&folder, "%s/sow-XXXXXX", base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(folder.bytes) == NULL) {
        sow_cli_add(why, "%s: %s", folder.bytes, strerror(errno));
    } else {
        sow_cli_add_picture_data(&data, runs);
        sow_cli_add_picture_script(&script, runs, "picture", kind);
        sow_cli_add(&path, "%s/picture.csv", folder.bytes);
        int written = sow_cli_write_file(path.bytes, data.bytes, data.length);
        memcpy(path.bytes + path.length - 3, "gp", 3);
        written |= sow_cli_write_file(path.bytes, script.bytes, script.length);
        sow_cli_add(&set, "kind='%s'; out='./picture.svg'", kind);
        if (written == 0) {
            result = run_gnuplot(folder.bytes, "picture.gp", set.bytes, why);
        } else {
            sow_cli_add(why, "%s", strerror(errno));
        }
        unlink(path.bytes);
        memcpy(path.bytes + path.length - 3, "csv", 4);
        unlink(path.bytes);
        memcpy(path.bytes + path.length - 3, "svg", 4);
        FILE *picture = fopen(path.bytes, "r");
        char bytes[4096];
        size_t got;
        while (picture != NULL && (got = fread(bytes, 1, sizeof bytes, picture)) > 0) {
            sow_cli_add_bytes(out, bytes, got);
        }
        if (picture != NULL) {
            fclose(picture);
        }
        unlink(path.bytes);
        rmdir(folder.bytes);
    }
    sow_cli_text_free(&folder);
    sow_cli_text_free(&data);
    sow_cli_text_free(&script);
    sow_cli_text_free(&path);
    sow_cli_text_free(&set);
    return result;
}

static void add_reason(struct sow_cli_text *reason, int result, struct sow_cli_text *why)
{
    if (result == NOT_FOUND) {
        add_missing(reason, NULL);
    } else {
        sow_cli_add(reason, "gnuplot could not draw it: %s", last_line(why));
    }
}

char *sow_cli_draw_svg(const struct sow_cli_runs *runs, struct sow_cli_text *reason)
{
    struct sow_cli_text out = {0}, why = {0};
    int result = draw_apart(runs, "svg", &out, &why);
    if (result != 0 || out.length == 0) {
        add_reason(reason, result, &why);
        sow_cli_text_free(&out);
    }
    sow_cli_text_free(&why);
    return out.bytes;
}

int sow_cli_plot(const struct sow_cli_runs *runs, const struct sow_cli_options *options)
{
    struct sow_cli_text why = {0}, message = {0}, picture = {0};
    int code = SOW_EXIT_DONE;
    if (!is_term(options)) {
        return draw_file(runs, options);
    }
    int result = draw_apart(runs, "term", &picture, &why);
    for (size_t i = 0; i < picture.length; i++) { /* without the form feeds */
        fwrite(picture.bytes + i, picture.bytes[i] != '\f', 1, stdout);
    }
    sow_cli_text_free(&picture);
    if (result == STOPPED) {
        code = sow_cli_interrupted_code();
    } else if (result != 0) {
        add_reason(&message, result, &why);
        code = fail(SOW_E_IO, "--plot", message.bytes);
    }
    sow_cli_text_free(&why);
    sow_cli_text_free(&message);
    return code;
}
