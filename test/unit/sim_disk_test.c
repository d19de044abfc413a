/* The simulator's disk keeps its law, and the judge of stores sees what it
 * must see. */
#include "sim/disk.h"

#include "sim/check.h"
#include "sim/world.h"
#include "unit/check.h"

#include <stdlib.h>

#define ROUNDS 200

static void create(struct disk *d, const char *path, int *fd)
{
    CHECK_OK(d->port.open(d, path, OS_OPEN_CREATE, fd));
}

static void fill(struct disk *d, int fd, uint64_t at, size_t n, char with)
{
    static char bytes[16384];

    CHECK(n <= sizeof bytes);
    memset(bytes, with, n);
    CHECK_OK(d->port.write_at(d, fd, bytes, n, at));
}

/* Two blocks synced, then both written anew, and the power goes. */
static void two_blocks(struct disk *d, enum disk_loss how, struct prng *p)
{
    int fd;

    disk_init(d, 1);
    create(d, "d/f", &fd);
    fill(d, fd, 0, 8192, 'a');
    CHECK_OK(d->port.sync(d, fd));
    CHECK_OK(d->port.sync_dir(d, "d"));
    fill(d, fd, 0, 4096, 'b');
    fill(d, fd, 4096, 4096, 'c');
    disk_crash(d, how, p);
    CHECK_UINT(disk_content(d, "d/f")->n, 8192);
}

TEST(what_was_synced_survives)
{
    static struct disk d;

    two_blocks(&d, DISK_DROPPED, NULL);
    for (size_t i = 0; i < 8192; i++)
        CHECK(disk_content(&d, "d/f")->p[i] == 'a');
    disk_free(&d);
}

/* The later write alone, the earlier alone, both, none: all of it happens,
 * and no write is torn. */
TEST(any_subset_of_writes_survives)
{
    static struct disk d;
    struct prng p = { 1 };
    unsigned seen = 0;

    for (int i = 0; i < ROUNDS; i++) {
        const uint8_t *b;

        two_blocks(&d, DISK_SUBSET, &p);
        b = disk_content(&d, "d/f")->p;
        CHECK(b[0] == b[4095] && b[4096] == b[8191]);
        seen |= 1u << ((b[0] == 'b') + 2 * (b[4096] == 'c'));
        disk_free(&d);
    }
    CHECK_UINT(seen, 15);
}

/* Torn at 512 bytes: within a write some pieces are new, and only whole. */
TEST(writes_are_torn_at_their_pieces)
{
    static struct disk d;
    struct prng p = { 2 };
    unsigned torn = 0;

    for (int i = 0; i < ROUNDS; i++) {
        const uint8_t *b;

        two_blocks(&d, DISK_TORN_512, &p);
        b = disk_content(&d, "d/f")->p;
        for (size_t at = 0; at < 8192; at += 512)
            CHECK(b[at] == b[at + 511]);
        torn += b[0] != b[512];
        disk_free(&d);
    }
    CHECK(torn > 10);
}

TEST(a_name_is_durable_with_its_folder)
{
    static struct disk d;
    int fd;

    disk_init(&d, 3);
    create(&d, "d/f", &fd);
    fill(&d, fd, 0, 10, 'a');
    CHECK_OK(d.port.sync(&d, fd));
    disk_crash(&d, DISK_DROPPED, NULL);
    CHECK(disk_content(&d, "d/f") == NULL);
    create(&d, "d/g", &fd);
    CHECK_OK(d.port.sync_dir(&d, "d"));
    CHECK_OK(d.port.rename(&d, "d/g", "d/h"));
    disk_crash(&d, DISK_DROPPED, NULL);
    CHECK(disk_content(&d, "d/h") == NULL);
    CHECK(disk_content(&d, "d/g") != NULL);
    disk_free(&d);
}

/* After a failed sync the next one succeeds and helps nothing, unless the
 * bytes are written again. */
TEST(a_sync_that_failed_lies_afterwards)
{
    static struct disk d;
    unsigned lost = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        bool again = i % 2 == 0, kept;
        int fd;

        disk_init(&d, i);
        create(&d, "d/f", &fd);
        CHECK_OK(d.port.sync_dir(&d, "d"));
        fill(&d, fd, 0, 4096, 'a');
        disk_arm_lie(&d);
        CHECK_INT(d.port.sync(&d, fd), SYNCLINE_EIO);
        CHECK(disk_content(&d, "d/f")->p[0] == 'a');
        if (again)
            fill(&d, fd, 0, 4096, 'a');
        CHECK_OK(d.port.sync(&d, fd));
        disk_crash(&d, DISK_DROPPED, NULL);
        kept = disk_content(&d, "d/f")->n == 4096;
        CHECK(kept || !again);
        lost += !kept;
        disk_free(&d);
    }
    CHECK(lost > 10);
}

TEST(the_power_goes_amid_a_write)
{
    static struct disk d;
    int fd;

    disk_init(&d, 4);
    create(&d, "d/f", &fd);
    CHECK_OK(d.port.sync_dir(&d, "d"));
    disk_arm_cut(&d, 2);
    fill(&d, fd, 0, 512, 'a');
    CHECK_INT(d.port.write_at(&d, fd, "bb", 2, 0), SYNCLINE_EIO);
    CHECK(d.off);
    CHECK_INT(d.port.sync(&d, fd), SYNCLINE_EIO);
    disk_crash(&d, DISK_DROPPED, NULL);
    CHECK_UINT(disk_content(&d, "d/f")->n, 0);
    CHECK_OK(d.port.open(&d, "d/f", OS_OPEN_WRITE, &fd));
    disk_free(&d);
}

TEST(room_comes_to_an_end)
{
    static struct disk d;
    int fd;

    disk_init(&d, 5);
    create(&d, "d/f", &fd);
    d.room = 1000;
    CHECK_OK(d.port.reserve(&d, fd, 900));
    CHECK_INT(d.port.write_at(&d, fd, "12345678", 8, 996), SYNCLINE_EFULL);
    fill(&d, fd, 0, 900, 'a');
    disk_free(&d);
}

/* ---- I16 ---- */

static struct world *world_of_one(void)
{
    struct world_options opt = {
        .seed = 1, .machines = 1, .lonely = true, .on_file = true
    };
    struct world *w = sim_alloc(1, sizeof *w);

    world_init(w, &opt);
    CHECK(!w->failed);
    check_store(w, &w->machines[0]);
    CHECK(!w->failed);
    return w;
}

static void judged(struct world *w)
{
    check_store(w, &w->machines[0]);
    CHECK(w->failed);
    CHECK(strncmp(w->why.text, "I16", 3) == 0);
    world_close(w);
    free(w);
}

static void commit(struct store_port port, const char *value)
{
    struct batch b = { 0 };
    uint64_t no;

    batch_put(&b, TABLE_ITEM, SLICE_LIT("k"), slice_str(value));
    CHECK_OK(store_commit(&port, buf_slice(&b.ops), &no));
    buf_free(&b.ops);
}

TEST(a_store_that_lost_what_was_durable)
{
    struct world *w = world_of_one();
    struct machine_disk *d = &w->machines[0].disk;

    commit(store_mem_port(d->mem), "1");
    store_mem_sync(d->mem, store_mem_last(d->mem));
    judged(w);
}

TEST(a_store_that_holds_something_else)
{
    struct world *w = world_of_one();
    struct machine_disk *d = &w->machines[0].disk;

    commit(store_mem_port(d->mem), "1");
    commit(store_file_port(d->file), "2");
    judged(w);
}

TEST(a_store_that_holds_what_nobody_wrote)
{
    struct world *w = world_of_one();

    commit(store_file_port(w->machines[0].disk.file), "1");
    judged(w);
}
