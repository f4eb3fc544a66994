/* test_redirect.c - the address of the leader in a message, and addresses as text (redirect.h). */
#include "redirect.h"

#include "harness.h"
#include "mem.h"

TEST("3", 0, address_of_the_leader_is_found_again_in_the_message) {
    struct error error;
    char address[RPC_ADDRESS_MAX];
    assert_status(STATUS_NOT_LEADER, redirect_set(&error, 2, "10.0.0.2:9001"));
    assert_string_equal("node 2 at 10.0.0.2:9001 leads: ask there", error.message);
    assert_true(redirect_address(&error, address));
    assert_string_equal("10.0.0.2:9001", address);
}

TEST("3", 0, message_without_an_address_redirects_nowhere) {
    struct error error;
    char address[RPC_ADDRESS_MAX];
    assert_status(STATUS_NOT_LEADER, redirect_set(&error, 2, ""));
    assert_false(redirect_address(&error, address));
    const char *const others[] = {"", "who knows", "meet at noon", "node 1 at  leads: ask there"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        (void)error_set(&error, STATUS_NOT_LEADER, "%s", others[i]);
        assert_false(redirect_address(&error, address));
    }
}

TEST("3", 0, only_not_leader_redirects) {
    struct error error;
    char address[RPC_ADDRESS_MAX];
    (void)redirect_set(&error, 2, "10.0.0.2:9001");
    error.status = STATUS_UNAVAILABLE;
    assert_false(redirect_address(&error, address));
}

TEST("3", 0, address_is_cut_at_its_last_colon) {
    char host[RPC_ADDRESS_MAX];
    uint16_t port;
    assert_true(address_split("localhost:1", host, &port));
    assert_string_equal("localhost", host);
    assert_int_equal(1, port);
    assert_true(address_split("[::1]:65535", host, &port));
    assert_string_equal("::1", host);
    assert_int_equal(65535, port);
}

TEST("3", 0, text_that_is_no_address_is_refused) {
    char host[RPC_ADDRESS_MAX];
    uint16_t port;
    char longest[2 * RPC_ADDRESS_MAX];
    memset(longest, 'h', sizeof longest);
    memcpy(longest + sizeof longest - 3, ":1", 3);
    const char *const wrong[] = {"",        "host",    "host:",   ":1",   "host:0",
                                 "host:-1", "host:+1", "host:1x", "[]:1", longest};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(address_split(wrong[i], host, &port));
}
