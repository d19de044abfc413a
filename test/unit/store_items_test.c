#include "store/store_file.h"

#include "sim/disk.h"
#include "unit/check.h"
#include "unit/store_contract.h"
#include "unit/store_temp.h"

#include <stdio.h>
#include <string.h>

static void check_item(const struct store_port *port, int i, const char *want)
{
    char key[8];
    struct slice value;
    int rc;

    (void)snprintf(key, sizeof key, "k%03d", i);
    rc = port->get(port->self, TABLE_ITEM, slice_str(key), &value);
    if (want == NULL)
        CHECK_INT(rc, SYNCLINE_ENOTFOUND);
    else
        CHECK(rc == SYNCLINE_OK && slice_is(value, want));
}

/* Which is guessed to be the next from those before: some are gone, stand
 * elsewhere, hold something else, or are asked for out of order. */
TEST(items_are_found_in_a_row_and_out_of_it)
{
    static const char *const gone[] = { "k020", "k021" };
    static struct disk disk;
    struct store_file_options opt = temp_options();
    struct store_file *s;
    struct store_port port;
    struct errmsg why;
    char key[8];

    disk_init(&disk, 1);
    disk_vfs_register(&disk);
    opt.os = &disk.port;
    opt.vfs = disk.vfs;
    CHECK_OK(store_file_open(&s, "store", &opt, &why));
    port = store_file_port(s);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(key, sizeof key, "k%03d", i);
        contract_put(&port, TABLE_ITEM, key, key);
    }
    CHECK_OK(store_file_checkpoint(s, 0, &why));
    for (size_t i = 0; i < ARRAY_N(gone); i++)
        contract_del(&port, TABLE_ITEM, gone[i]);
    CHECK_OK(store_file_checkpoint(s, 0, &why));
    contract_put(&port, TABLE_ITEM, "k020", "again"); /* at the end */
    contract_put(&port, TABLE_ITEM, "k030", "other");
    CHECK_OK(store_file_checkpoint(s, 0, &why));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 42; i++) {
            (void)snprintf(key, sizeof key, "k%03d", i);
            check_item(&port, i,
                i == 20                 ? "again"
                    : i == 30           ? "other"
                    : i == 21 || i > 39 ? NULL
                                        : key);
            if (i % 13 == 12)
                check_item(&port, 3, "k003");
        }
    store_file_abandon(s);
    disk_free(&disk);
}

/* ---- keys that are said to be absent without a look at the file ---- */

/* About so many at a start are all read for that, and no more: see ITEMS_FEW
 * in store_file_open.c. */
#define FEW 1000
#define KEYS_N (FEW + 40)

struct world {
    struct disk disk;
    struct store_file_options opt;
    struct store_file *s;
    struct store_port port;
    struct errmsg why;
    bool there[KEYS_N], synced[KEYS_N];
    bool frozen; /* a checkpoint is under way */
};

static void open_world(struct world *w)
{
    CHECK_SAYING(store_file_open(&w->s, "store", &w->opt, &w->why) == 0, "%s",
        w->why.text);
    w->port = store_file_port(w->s);
}

static struct slice key_no(char room[16], int i)
{
    return SLICE(room, (size_t)snprintf(room, 16, "s/%06d", i));
}

/* Every key, not some of them: the filter has to be right about each. */
static void check_all(struct world *w, const char *when)
{
    char room[16];
    struct slice value;

    for (int i = 0; i < KEYS_N; i++) {
        int rc = w->port.get(w->port.self, TABLE_ITEM, key_no(room, i), &value);

        CHECK_SAYING(rc == (w->there[i] ? SYNCLINE_OK : SYNCLINE_ENOTFOUND),
            "%s: %s is said to be %s (%d)", when, room,
            rc == SYNCLINE_OK ? "there" : "absent", rc);
    }
}

/* It may be refused: then it did not happen. */
static void change(struct world *w, int i, bool there)
{
    struct batch b = { 0 };
    char room[16];
    uint64_t no;
    int rc;

    if (there)
        batch_put(&b, TABLE_ITEM, key_no(room, i), SLICE_LIT("value"));
    else
        batch_del(&b, TABLE_ITEM, key_no(room, i));
    rc = store_commit(&w->port, buf_slice(&b.ops), &no);
    CHECK(rc == SYNCLINE_OK || rc == SYNCLINE_EFULL);
    if (rc == SYNCLINE_OK)
        w->there[i] = there;
    buf_free(&b.ops);
}

static void sync_world(struct world *w)
{
    if (store_file_sync(w->s) == SYNCLINE_OK)
        memcpy(w->synced, w->there, sizeof w->synced);
}

static void end_checkpoint(struct world *w, bool fails)
{
    if (!w->frozen)
        return;
    if (fails)
        disk_arm(&w->disk, 1, SYNCLINE_EFULL, true);
    store_file_checkpoint_run(w->s);
    (void)!store_file_checkpoint_end(w->s, &w->why);
    disk_arm(&w->disk, 0, SYNCLINE_OK, false);
    w->frozen = false;
}

/* Power loss after a sync: nothing is lost but what the filter knew. */
static void restart(struct world *w, bool cleanly)
{
    end_checkpoint(w, false);
    w->disk.room = 0;
    CHECK_OK(store_file_sync(w->s));
    memcpy(w->synced, w->there, sizeof w->synced);
    if (cleanly) {
        CHECK_OK(store_file_close(w->s));
    } else {
        disk_off(&w->disk);
        store_file_abandon(w->s);
        disk_crash(&w->disk, DISK_DROPPED, NULL);
        memcpy(w->there, w->synced, sizeof w->there);
    }
    open_world(w);
}

static void one_step(struct world *w, struct prng *p)
{
    switch (prng_below(p, 12)) {
    case 0:
        if (!w->frozen)
            w->frozen = store_file_checkpoint_begin(w->s, 0);
        break;
    case 1:
        end_checkpoint(w, false);
        break;
    case 2:
        end_checkpoint(w, true);
        break;
    case 3:
        w->disk.room = prng_below(p, 2) == 0 ? disk_bytes_taken(&w->disk) : 0;
        break;
    case 4:
        sync_world(w);
        break;
    default:
        for (int n = 0; n < 8; n++)
            change(w, (int)prng_below(p, KEYS_N), prng_below(p, 3) > 0);
    }
}

static void wander(int items, uint64_t seed)
{
    static struct world w;
    struct prng p = { seed };
    char when[64];

    memset(&w, 0, sizeof w);
    disk_init(&w.disk, seed);
    disk_vfs_register(&w.disk);
    w.opt = temp_options();
    w.opt.os = &w.disk.port;
    w.opt.vfs = w.disk.vfs;
    open_world(&w);
    for (int i = 0; i < items; i++)
        change(&w, i, true);
    restart(&w, true);
    check_all(&w, "as it was filled");
    for (int i = 0; i < 60; i++) {
        one_step(&w, &p);
        if (i % 20 == 19)
            restart(&w, i % 40 == 19);
        (void)snprintf(when, sizeof when, "%d items, seed %d, step %d", items,
            (int)seed, i);
        check_all(&w, when);
    }
    end_checkpoint(&w, false);
    store_file_abandon(w.s);
    disk_free(&w.disk);
}

TEST(what_is_there_is_never_said_to_be_absent)
{
    static const int items[] = { 0, FEW - 1, FEW, FEW + 1 };

    for (size_t i = 0; i < ARRAY_N(items); i++)
        for (uint64_t seed = 1; seed <= 4; seed++)
            wander(items[i], seed);
}
