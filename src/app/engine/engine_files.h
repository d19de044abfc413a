/* engine_files.h - the inside of what keeps files and items the same, for the
 * engine_files*.c.
 *
 * A machine of files/binding.h for each file; here it is given its events and
 * has its effects carried out: the file's by a helper thread, the item's by
 * requests to the node as anybody makes them. */
#ifndef SYNCLINE_APP_ENGINE_FILES_H
#define SYNCLINE_APP_ENGINE_FILES_H

#include "app/engine/engine_impl.h"
#include "files/binding.h"
#include "io/config_file.h"
#include "io/dir_watch.h"
#include "io/file_versions.h"

#define FILES_BOUND_MAX 256
#define FILES_ID_LEN 16
#define VERSIONS_UNKNOWN SIZE_MAX

/* What a person said. All text is in the arena of the bound file. */
struct file_setup {
    const char *root, *path; /* as of a config_file */
    const char *file;        /* its whole name */
    const char *versions_at; /* folder of its versions: beside it, or whole */
    const char *versions_root, *versions_path; /* of a whole one */
    const char *space, *key;
    const char *on_change; /* NULL: nothing is run */
    struct slice schema;   /* its text; empty: none */
    const struct slice *local;
    size_t local_n;
    uint32_t timeout_ms, versions;
    enum binding_prefer prefer;
    bool yaml, reverts, ascii;
};

struct reload;

struct bound_file {
    struct bound_file *next;
    struct engine_files *files;
    struct arena text;
    struct file_setup setup;
    struct config_file at;
    struct binding *machine;
    struct schema *schema;
    char id[FILES_ID_LEN + 1];
    struct errmsg no_place; /* why it is not where it may be; "": it is */
    int folder;             /* of the watch; -1: it is not watched */
    uint64_t look_us;       /* when the folder is looked for again; 0: not */
    uint64_t watch, asking; /* requests of ours; 0: none */
    uint64_t rewatch_us;
    bool putting; /* asking is a put, else a get */
    struct reload *reload;
    unsigned jobs;
    bool gone; /* not bound any more; waits for its jobs */
    bool kept; /* in the list on the disk */
    /* Who wants to hear when it is quiet, and until when. */
    uint64_t asker, asked_until_us;
    char asked[12]; /* his op */
    char rolled[VERSION_NAME_SIZE];
    size_t versions_n; /* when it was looked last */
};

struct engine_files {
    struct engine *engine;
    struct bound_file *first;
    struct dir_watch *watch;
    struct helper *helper;
    struct reload *reloads; /* those that run, or left something running */
    unsigned n;
    bool closing;
    uint64_t schemas;      /* the watch that tells of them; 0: none */
    struct errmsg trouble; /* why the list cannot be read; "": it can */
};

/* ---- engine_files.c ---- */

struct bound_file *files_find(struct engine_files *x, struct slice file);
/* By its id. */
struct bound_file *files_find_id(struct engine_files *x, struct slice id);
/* Takes f, whose setup is made, to the others; frees it if it fails. One that
 * was bound before is not let go for where it is. */
NODISCARD int files_add(
    struct engine_files *x, struct bound_file *f, struct errmsg *why);
/* Starts what is watched, and the machine. */
NODISCARD int files_run(struct bound_file *f, struct errmsg *why);
void files_remove(struct bound_file *f);
/* One event, and what follows at once. EINVAL as of binding_step. */
int files_step(
    struct bound_file *f, const struct binding_event *ev, struct errmsg *why);
/* Whoever waits for it gets his answer, if it is quiet or too late. */
void files_answer(struct bound_file *f, bool late);
/* Of one that is in no list. */
void files_free(struct bound_file *f);

/* ---- engine_files_job.c: on the helper ---- */

enum job_kind { JOB_STEP, JOB_LIST, JOB_VERSION };

struct file_job {
    struct helper_job job;
    struct bound_file *file;
    enum job_kind kind;
    /* In this order, of JOB_STEP. */
    bool saves, writes, keeps, reads, exists;
    struct buf record, text, expected, version;
    char record_path[4096];
    int64_t wall_us;              /* now; of JOB_VERSION: as it was then */
    char name[VERSION_NAME_SIZE]; /* of JOB_VERSION; empty: by time */
    bool newest, shows;
    bool shared; /* of JOB_VERSION: without what stays on this machine */
    uint64_t request;
    /* What came of it. */
    struct buf out, kept; /* as JSON, what is kept */
    size_t versions_n;    /* may be VERSIONS_UNKNOWN */
    enum config_file_use use;
    int rc, keep_rc;
    struct errmsg why, keep_why;
};

struct file_job *files_job_new(struct bound_file *f, enum job_kind kind);
void files_job_free(struct file_job *j);
void files_job_run(struct helper_job *job);

/* ---- engine_files_list.c: the list on the disk ---- */

NODISCARD int files_load(struct engine_files *x, struct errmsg *why);
NODISCARD int files_save(const struct engine_files *x, struct errmsg *why);
/* A setup from a request, or from the list; text goes into f->text. */
NODISCARD int files_setup(
    struct bound_file *f, const struct json *v, struct errmsg *why);
void files_put_setup(struct buf *b, const struct bound_file *f);
/* For who comes by a token: a command may hold secrets. */
void files_put_shown(struct buf *b, const struct bound_file *f);
void files_record_path(const struct bound_file *f, char *out, size_t size);
/* Finds its root; EDENIED. */
NODISCARD int files_place(struct bound_file *f, struct errmsg *why);
/* Where its versions are, if nobody has said: as the older system has it, if
 * nobody else's are there. */
NODISCARD int files_versions_place(
    struct engine_files *x, struct bound_file *f);

/* ---- reload_command.c ---- */

/* The result comes as BINDING_RAN. */
void reload_run(struct bound_file *f, struct slice changed, bool reverted);
/* Nobody waits for it any more. NULL is fine. */
void reload_forget(struct reload *r);
/* Nor does the loop, for any of them. */
void reload_close(struct engine_files *x);

#endif
