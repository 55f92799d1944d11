#include "tests/unit/check.h"

#include "state/s3_list.h"

#define LIST(rest)                                                                                 \
    "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\"><Name>b</Name>" rest                   \
    "</ListBucketResult>"
#define KEY(key) "<Contents><Key>" key "</Key><Size>1</Size></Contents>"

static void test_read(void **state)
{
    static const struct {
        const char *name, *xml, *names, *next; /* `names` NULL: it is no such answer */
    } rows[] = {
        { "none", LIST("<IsTruncated>false</IsTruncated>"), "", "" },
        { "two of four", LIST(KEY("p/a.x") KEY("p/b.y") KEY("p/c.x") KEY("q/d.x")), "a.x\nc.x\n",
          "" },
        { "not below", LIST(KEY("p/a/b.x") KEY("p/") KEY("p/.x")), ".x\n", "" },
        { "odd letters", LIST(KEY("p/a&amp;b.x") KEY("p/a b.x") KEY("p/\xc3\xa4.x")), "", "" },
        { "more",
          LIST("<IsTruncated>true</IsTruncated><NextContinuationToken>a&lt;&amp;&#34;/+=&x;"
               "</NextContinuationToken>" KEY("p/a.x")),
          "a.x\n", "a<&\"/+=&x;" },
        { "more, and nobody says where", LIST("<IsTruncated>true</IsTruncated>"), NULL, "" },
        { "more, from nowhere",
          LIST("<IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken>"),
          NULL, "" },
        { "a token at the end", LIST("<NextContinuationToken>t</NextContinuationToken>"), "", "" },
        { "another answer", "<Error><Code>NoSuchBucket</Code></Error>", NULL, "" },
        { "nothing", "", NULL, "" },
        { "cut", "<ListBucketResult><Contents><Key>p/a.x", "", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf names = BUF_INIT(1024), next = BUF_INIT(1024);
        check_row(rows[i].name);
        check_i64(s3_list_read(bytes_of(rows[i].xml), BYTES("p/"), ".x", &names, &next),
                  rows[i].names != NULL);
        if (rows[i].names)
            check_text(buf_text(&names), rows[i].names);
        check_text(buf_text(&next), rows[i].next);
        buf_release(&names);
        buf_release(&next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
