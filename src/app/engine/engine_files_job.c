/* What is done with bound files on the helper's thread. */
#include "app/engine/engine_files.h"

#include "app/private_file.h"
#include "files/splice.h"
#include "files/yaml.h"

#include <stdio.h>
#include <stdlib.h>

struct file_job *files_job_new(struct bound_file *f, enum job_kind kind)
{
    struct file_job *j = calloc(1, sizeof *j);

    if (j == NULL)
        return NULL;
    j->file = f;
    j->kind = kind;
    j->job.run = files_job_run;
    j->versions_n = VERSIONS_UNKNOWN;
    files_record_path(f, j->record_path, sizeof j->record_path);
    return j;
}

void files_job_free(struct file_job *j)
{
    if (j == NULL)
        return;
    buf_free(&j->record);
    buf_free(&j->text);
    buf_free(&j->expected);
    buf_free(&j->version);
    buf_free(&j->out);
    buf_free(&j->kept);
    free(j);
}

static struct file_versions versions_of(const struct bound_file *f)
{
    return (struct file_versions){ .file = &f->at,
        .root = f->setup.versions_root,
        .folder = f->setup.versions_root != NULL ? f->setup.versions_path
                                                 : f->setup.versions_at,
        .keep = f->setup.versions };
}

static int save(struct file_job *j)
{
    const struct private_file file = { .path = j->record_path,
        .what = "record of a bound file" };

    return private_file_write(&file, buf_slice(&j->record), true, &j->why);
}

/* As JSON whatever it is: that is what the older system reads. */
static int as_json(struct buf *out, const struct file_job *j)
{
    const struct slice text = buf_slice(&j->version);
    struct arena a = { 0 };
    struct json *v;
    int rc;

    if (!j->file->setup.yaml && text.len > 0 && text.ptr[0] != 0xef) {
        buf_put_slice(out, text);
        return buf_status(out);
    }
    rc = j->file->setup.yaml ? yaml_read(&v, text, &a, NULL)
                             : splice_parse(&v, text, &a, NULL);
    if (rc == SYNCLINE_OK) {
        json_print(out, v, JSON_PRETTY);
        buf_put_u8(out, '\n');
        rc = buf_status(out);
    }
    arena_free(&a);
    return rc;
}

static void keep(struct file_job *j)
{
    const struct file_versions v = versions_of(j->file);

    j->keep_rc = as_json(&j->kept, j);
    if (j->keep_rc == SYNCLINE_OK)
        j->keep_rc = file_versions_keep(
            &v, buf_slice(&j->kept), j->wall_us, &j->keep_why);
}

static void count_versions(struct file_job *j)
{
    const struct file_versions v = versions_of(j->file);
    struct version *all;
    struct arena a = { 0 };

    if (file_versions_list(&v, &all, &j->versions_n, &a, NULL) != SYNCLINE_OK)
        j->versions_n = VERSIONS_UNKNOWN;
    arena_free(&a);
}

static void run_step(struct file_job *j)
{
    const struct slice expected = buf_slice(&j->expected);

    if (j->saves)
        j->rc = save(j);
    if (j->file->no_place.text[0] != 0) {
        j->why = j->file->no_place;
        j->rc = SYNCLINE_EDENIED;
        return;
    }
    if (j->writes && j->rc == SYNCLINE_OK)
        j->rc = config_file_write(&j->file->at, buf_slice(&j->text),
            j->exists ? &expected : NULL, &j->why);
    if (j->keeps)
        keep(j);
    if (j->reads)
        j->rc = config_file_read(&j->out, &j->use, &j->file->at, &j->why);
    count_versions(j);
}

static void run_list(struct file_job *j)
{
    const struct file_versions v = versions_of(j->file);
    struct version *all = NULL;
    struct arena a = { 0 };
    size_t n = 0;

    j->rc = file_versions_list(&v, &all, &n, &a, &j->why);
    buf_put_str(&j->out, "{\"ok\":true,\"versions\":[");
    for (size_t i = 0; i < n && j->rc == SYNCLINE_OK; i++) {
        char name[VERSION_NAME_SIZE];

        j->rc = version_name(name, &all[i]);
        buf_printf(&j->out, "%s\"%s\"", i > 0 ? "," : "", name);
    }
    buf_put_str(&j->out, "]}");
    arena_free(&a);
}

static int pick(struct file_job *j, struct version *out)
{
    const struct file_versions v = versions_of(j->file);
    const struct version *found;
    struct version *all = NULL, at;
    struct arena a = { 0 };
    size_t n = 0;
    int rc;

    if (j->name[0] != 0) {
        rc = version_parse(out, slice_str(j->name));
        return rc == SYNCLINE_OK
            ? rc
            : errmsg_set(&j->why, rc,
                  "%s: no name of a version; `syncline versions` lists them",
                  j->name);
    }
    rc = file_versions_time(&at, j->wall_us);
    if (rc == SYNCLINE_OK)
        rc = file_versions_list(&v, &all, &n, &a, &j->why);
    found = j->newest ? (n > 0 ? &all[n - 1] : NULL) : versions_at(all, n, &at);
    if (rc == SYNCLINE_OK && found == NULL)
        rc = errmsg_set(&j->why, SYNCLINE_ENOTFOUND,
            "no version is as old as that; `syncline versions` lists them");
    if (rc == SYNCLINE_OK)
        *out = *found;
    arena_free(&a);
    return rc;
}

static void run_version(struct file_job *j)
{
    const struct file_versions v = versions_of(j->file);
    struct version which;

    j->rc = pick(j, &which);
    if (j->rc == SYNCLINE_OK)
        j->rc = version_name(j->name, &which);
    if (j->rc == SYNCLINE_OK)
        j->rc = file_versions_read(&j->out, &v, &which, &j->why);
    if (j->rc == SYNCLINE_ENOTFOUND && j->why.text[0] == 0)
        (void)errmsg_set(&j->why, j->rc,
            "%s: there is no such version; `syncline versions` lists them",
            j->name);
}

void files_job_run(struct helper_job *job)
{
    struct file_job *j =
        (struct file_job *)((char *)job - offsetof(struct file_job, job));

    if (j->kind == JOB_STEP)
        run_step(j);
    else if (j->file->no_place.text[0] != 0)
        j->rc =
            errmsg_set(&j->why, SYNCLINE_EDENIED, "%s", j->file->no_place.text);
    else if (j->kind == JOB_LIST)
        run_list(j);
    else
        run_version(j);
    if (j->rc == SYNCLINE_OK)
        j->rc = buf_status(&j->out);
}
