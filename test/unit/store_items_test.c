#include "store/store_file.h"

#include "sim/disk.h"
#include "unit/check.h"
#include "unit/store_contract.h"
#include "unit/store_temp.h"

#include <stdio.h>

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
