/* Golden transcripts: each file golden/NAME.txt is a script of commands, lines that start with ">
 * ", and below each command what the nodes did. The script is run again and the whole file
 * compared. CAIRN_RECORD=1 writes the files anew; read the difference before you keep it.
 *
 *   > cluster 3                      nodes 1 to 3, empty
 *   > node 2 term=3 vote=1 log=1,1,3 applied=1     before the cluster's first step: what it had
 *   > timeout 1                      time passes until node 1's deadline; it alone ticks
 *   > pass 50                        so many milliseconds pass; every node that is due ticks
 *   > propose 1 2 / read 1 7         two entries; a read with id 7
 *   > deliver / deliver 1->2         all messages in flight, or those of one direction
 *   > drop / drop 1->2
 *   > sync 1                         node 1's disk finishes what waits for it
 *   > apply 1 / compact 1 3          applies what may be; drops the log up to 3
 *   > stage 1 2 / lose 1 2           the snapshot that node 1 owes node 2 arrives, or fails
 *   > crash 1 / start 1              what was not synced is gone
 *   > settle                         deliver, sync and apply until nothing is left
 *   > status 1 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "mem.h"
#include "raft.h"

#define MS UINT64_C(1000000)
enum { MAX_NODES = 5, MAX_ENTRIES = 128, MAX_FLIGHT = 256 };

struct disk {
    struct raft_hard_state hard_state;
    uint64_t start, start_term, applied;
    struct raft_entry entries[MAX_ENTRIES];
    size_t count;
};

struct node {
    struct raft *raft;
    struct raft_update update;
    struct disk disk, unsynced; /* unsynced: as it will be after the sync */
    uint64_t persist_last, install_index, install_term;
    uint64_t applied, deadline_ns;
    struct raft_message waiting[MAX_FLIGHT]; /* for the sync */
    size_t waiting_count;
    bool dirty;
};

struct flight {
    struct raft_message message;
    struct raft_entry entries[MAX_ENTRIES];
};

struct script {
    struct node nodes[MAX_NODES + 1];
    size_t node_count;
    uint64_t now_ns;
    struct flight flight[MAX_FLIGHT];
    size_t flight_count;
    struct buf *out;
};

/* ---- narrating ------------------------------------------------------------------------------ */

static void say_message(struct script *script, uint64_t id, const char *how,
                        const struct raft_message *message) {
    buf_printf(script->out, "  %d: %s ", (int)id, how);
    raft_message_dump(message, script->out);
}

static void say_update(struct script *script, uint64_t id) {
    struct node *node = &script->nodes[id];
    const struct raft_update *update = &node->update;
    struct raft_status status = raft_status(node->raft);
    if (update->role_changed)
        buf_printf(script->out, "  %d: is %s, term %d, leader %d\n", (int)id,
                   raft_role_name(status.role), (int)status.term, (int)status.leader);
    if (update->hard_state_changed)
        buf_printf(script->out, "  %d: persist term=%d vote=%d\n", (int)id,
                   (int)update->hard_state.term, (int)update->hard_state.vote);
    if (update->persist_first <= update->persist_last)
        buf_printf(script->out, "  %d: persist entries %d..%d\n", (int)id,
                   (int)update->persist_first, (int)update->persist_last);
    if (update->install.index > 0)
        buf_printf(script->out, "  %d: install snapshot %d/%d\n", (int)id,
                   (int)update->install.index, (int)update->install.term);
    for (size_t i = 0; i < update->message_count; i++)
        say_message(script, id, update->messages[i].after_persist ? "send when durable" : "send",
                    &update->messages[i].message);
    for (size_t i = 0; i < update->snapshot_to_count; i++)
        buf_printf(script->out, "  %d: wants a snapshot sent to %d\n", (int)id,
                   (int)update->snapshot_to[i]);
    for (size_t i = 0; i < update->read_count; i++)
        buf_printf(script->out, "  %d: read %d may proceed at %d\n", (int)id,
                   (int)update->reads[i].read_id, (int)update->reads[i].index);
    for (size_t i = 0; i < update->failed_read_count; i++)
        buf_printf(script->out, "  %d: read %d failed\n", (int)id, (int)update->failed_reads[i]);
}

/* ---- carrying out --------------------------------------------------------------------------- */

static void fly(struct script *script, struct node *node, const struct raft_message *message) {
    assert_true(script->flight_count < MAX_FLIGHT);
    struct flight *flight = &script->flight[script->flight_count++];
    flight->message = *message;
    for (uint32_t i = 0; message->type == RAFT_MESSAGE_APPEND && i < message->entry_count; i++)
        assert_true(raft_entry_at(node->raft, message->first_index + i, &flight->entries[i]));
}

static void write_unsynced(struct node *node) {
    const struct raft_update *update = &node->update;
    struct disk *disk = &node->unsynced;
    if (update->hard_state_changed) disk->hard_state = update->hard_state;
    for (uint64_t i = update->persist_first; i <= update->persist_last; i++) {
        disk->count = (size_t)(i - disk->start);
        assert_true(raft_entry_at(node->raft, i, &disk->entries[disk->count - 1]));
        node->persist_last = i;
    }
    if (update->install.index > 0) {
        node->install_index = update->install.index;
        node->install_term = update->install.term;
    }
    node->dirty = node->dirty || update->hard_state_changed || update->install.index > 0 ||
                  update->persist_first <= update->persist_last;
}

static void finish(struct script *script, uint64_t id) {
    struct node *node = &script->nodes[id];
    raft_finish(node->raft, &node->update);
    raft_check_invariants(node->raft);
    say_update(script, id);
    write_unsynced(node);
    for (size_t i = 0; i < node->update.message_count; i++) {
        const struct raft_outgoing *outgoing = &node->update.messages[i];
        if (!outgoing->after_persist || !node->dirty)
            fly(script, node, &outgoing->message);
        else
            node->waiting[node->waiting_count++] = outgoing->message;
    }
    node->deadline_ns = node->update.deadline_ns;
    raft_update_clear(&node->update);
}

static void step(struct script *script, uint64_t id, struct raft_event event) {
    struct node *node = &script->nodes[id];
    event.now_ns = script->now_ns;
    enum status status = raft_step(node->raft, &event, &node->update);
    if (status != STATUS_OK) buf_printf(script->out, "  %d: %s\n", (int)id, status_name(status));
}

static void step_and_finish(struct script *script, uint64_t id, struct raft_event event) {
    step(script, id, event);
    finish(script, id);
}

static void start(struct script *script, uint64_t id) {
    struct node *node = &script->nodes[id];
    uint64_t ids[MAX_NODES];
    for (size_t i = 0; i < script->node_count; i++)
        ids[i] = i + 1;
    struct raft_options options = {.node_id = id,
                                   .voters = ids,
                                   .voter_count = script->node_count,
                                   .seed = id,
                                   .now_ns = script->now_ns,
                                   .hard_state = node->disk.hard_state,
                                   .log_start_index = node->disk.start,
                                   .log_start_term = node->disk.start_term,
                                   .entries = node->disk.entries,
                                   .entry_count = node->disk.count,
                                   .applied_index = node->disk.applied};
    struct error error;
    assert_ok(raft_new(&options, &node->raft, &error), &error);
    raft_update_init(&node->update);
    node->unsynced = node->disk;
    node->applied = node->disk.applied;
    node->persist_last = node->install_index = 0;
    node->waiting_count = 0;
    node->dirty = false;
    finish(script, id);
}

static void stop(struct node *node) {
    raft_free(node->raft);
    raft_update_deinit(&node->update);
    node->raft = NULL;
}

/* ---- commands ------------------------------------------------------------------------------- */

static bool direction_matches(const struct raft_message *message, const char *argument) {
    int from, to;
    if (sscanf(argument, "%d->%d", &from, &to) != 2) return true;
    return message->from == (uint64_t)from && message->to == (uint64_t)to;
}

/* Takes the messages that are in flight now; those sent in answer wait for the next command. */
static size_t take_flight(struct script *script, const char *argument, bool deliver) {
    size_t count = script->flight_count, taken = 0;
    struct flight *flight = mem_dup(script->flight, count * sizeof(*flight));
    script->flight_count = 0;
    for (size_t i = 0; i < count; i++)
        if (!direction_matches(&flight[i].message, argument))
            script->flight[script->flight_count++] = flight[i];
    for (size_t i = 0; i < count; i++) {
        struct raft_message *message = &flight[i].message;
        if (!direction_matches(message, argument)) continue;
        taken++;
        if (!deliver || !script->nodes[message->to].raft) continue;
        message->entries = flight[i].entries;
        say_message(script, message->to, "receive", message);
        step_and_finish(script, message->to,
                        (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = message});
    }
    mem_free(flight);
    return taken;
}

static bool sync_node(struct script *script, uint64_t id) {
    struct node *node = &script->nodes[id];
    if (!node->raft || !node->dirty) return false;
    node->dirty = false;
    if (node->install_index > 0) {
        node->unsynced.start = node->unsynced.applied = node->install_index;
        node->unsynced.start_term = node->install_term;
        node->unsynced.count = 0;
    }
    node->disk = node->unsynced;
    buf_printf(script->out, "  %d: synced\n", (int)id);
    for (size_t i = 0; i < node->waiting_count; i++)
        fly(script, node, &node->waiting[i]);
    node->waiting_count = 0;
    if (node->persist_last > 0) {
        const struct raft_entry *last =
            &node->disk.entries[node->persist_last - node->disk.start - 1];
        step(script, id,
             (struct raft_event){
                 .type = RAFT_EVENT_PERSISTED, .index = node->persist_last, .term = last->term});
        node->persist_last = 0;
    }
    if (node->install_index > 0) {
        node->applied = node->install_index;
        step(script, id,
             (struct raft_event){.type = RAFT_EVENT_SNAPSHOT_INSTALLED,
                                 .index = node->install_index,
                                 .term = node->install_term});
        node->install_index = 0;
    }
    finish(script, id);
    return true;
}

static bool apply_node(struct script *script, uint64_t id) {
    struct node *node = &script->nodes[id];
    if (!node->raft) return false;
    struct raft_status status = raft_status(node->raft);
    uint64_t commit = status.commit < status.persisted ? status.commit : status.persisted;
    if (commit <= node->applied) return false;
    buf_printf(script->out, "  %d: apply %d..%d\n", (int)id, (int)node->applied + 1, (int)commit);
    node->applied = commit;
    step_and_finish(script, id, (struct raft_event){.type = RAFT_EVENT_APPLIED, .index = commit});
    return true;
}

static void settle(struct script *script) {
    for (bool busy = true; busy;) {
        busy = take_flight(script, "", true) > 0;
        for (uint64_t id = 1; id <= script->node_count; id++)
            busy |= sync_node(script, id);
        for (uint64_t id = 1; id <= script->node_count; id++)
            busy |= apply_node(script, id);
    }
}

static void pass(struct script *script, uint64_t ms) {
    script->now_ns += ms * MS;
    for (uint64_t id = 1; id <= script->node_count; id++)
        if (script->nodes[id].raft && script->nodes[id].deadline_ns <= script->now_ns)
            step_and_finish(script, id, (struct raft_event){.type = RAFT_EVENT_TICK});
}

static void propose(struct script *script, uint64_t id, uint32_t count) {
    struct raft_entry entries[16] = {{0}};
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.type = RAFT_ENTRY_NORMAL, .size_bytes = 10};
    step_and_finish(script, id,
                    (struct raft_event){.type = RAFT_EVENT_PROPOSE, .propose = {entries, count}});
}

static void staged(struct script *script, uint64_t id, uint64_t to, bool ok) {
    struct node *node = &script->nodes[id];
    uint64_t term = node->disk.start_term;
    if (node->applied > node->disk.start)
        term = node->disk.entries[node->applied - node->disk.start - 1].term;
    step_and_finish(script, id,
                    (struct raft_event){.type = RAFT_EVENT_SNAPSHOT_SENT,
                                        .node = to,
                                        .index = node->applied,
                                        .term = term,
                                        .ok = ok});
}

static void compact(struct script *script, uint64_t id, uint64_t index) {
    struct disk *disk = &script->nodes[id].disk;
    size_t dropped = (size_t)(index - disk->start);
    disk->start_term = disk->entries[dropped - 1].term;
    disk->count -= dropped;
    memmove(disk->entries, disk->entries + dropped, disk->count * sizeof(disk->entries[0]));
    disk->start = index;
    disk->applied = index;
    script->nodes[id].unsynced = *disk;
    step_and_finish(script, id, (struct raft_event){.type = RAFT_EVENT_COMPACT, .index = index});
}

/* "term=3 vote=1 log=1,1,3 applied=1" */
static void set_disk(struct disk *disk, const char *text) {
    const char *at;
    if ((at = strstr(text, "term="))) disk->hard_state.term = strtoul(at + 5, NULL, 10);
    if ((at = strstr(text, "vote="))) disk->hard_state.vote = strtoul(at + 5, NULL, 10);
    if ((at = strstr(text, "applied="))) disk->applied = strtoul(at + 8, NULL, 10);
    if (!(at = strstr(text, "log="))) return;
    char *end;
    for (at += 4;; at = end + 1) {
        uint64_t term = strtoul(at, &end, 10);
        if (end == at) return;
        disk->entries[disk->count++] =
            (struct raft_entry){.term = term, .type = RAFT_ENTRY_NORMAL, .size_bytes = 10};
        if (*end != ',') return;
    }
}

static void status_of(struct script *script, uint64_t id) {
    struct buf text = BUF_INIT;
    raft_dump(script->nodes[id].raft, &text);
    for (size_t at = 0; at < text.len;) {
        const char *line = (const char *)text.data + at;
        size_t len = (size_t)((const char *)memchr(line, '\n', text.len - at) - line);
        buf_printf(script->out, "  %.*s\n", (int)len, line);
        at += len + 1;
    }
    buf_deinit(&text);
}

static void start_all(struct script *script) {
    for (uint64_t id = 1; id <= script->node_count; id++)
        if (!script->nodes[id].raft) start(script, id);
}

static bool run_on_node(struct script *script, const char *verb, uint64_t id, uint64_t number) {
    struct node *node = &script->nodes[id];
    if (strcmp(verb, "timeout") == 0) {
        if (node->deadline_ns > script->now_ns) script->now_ns = node->deadline_ns;
        step_and_finish(script, id, (struct raft_event){.type = RAFT_EVENT_TICK});
    } else if (strcmp(verb, "propose") == 0)
        propose(script, id, (uint32_t)number);
    else if (strcmp(verb, "read") == 0)
        step_and_finish(script, id,
                        (struct raft_event){.type = RAFT_EVENT_READ, .read_id = number});
    else if (strcmp(verb, "sync") == 0)
        sync_node(script, id);
    else if (strcmp(verb, "apply") == 0)
        apply_node(script, id);
    else if (strcmp(verb, "compact") == 0)
        compact(script, id, number);
    else if (strcmp(verb, "stage") == 0)
        staged(script, id, number, true);
    else if (strcmp(verb, "lose") == 0)
        staged(script, id, number, false);
    else if (strcmp(verb, "crash") == 0)
        stop(node);
    else if (strcmp(verb, "start") == 0)
        start(script, id);
    else if (strcmp(verb, "status") == 0)
        status_of(script, id);
    else
        return false;
    return true;
}

static void run_command(struct script *script, const char *command) {
    char verb[16] = "", argument[128] = "";
    unsigned long first = 0, second = 0;
    sscanf(command, "%15s %127[^\n]", verb, argument);
    sscanf(argument, "%lu %lu", &first, &second);
    if (strcmp(verb, "cluster") == 0) {
        script->node_count = first;
        return;
    }
    if (strcmp(verb, "node") == 0) {
        set_disk(&script->nodes[first].disk, argument);
        return;
    }
    if (!script->nodes[1].raft && script->now_ns == 1000 * MS) start_all(script);
    if (strcmp(verb, "deliver") == 0)
        take_flight(script, argument, true);
    else if (strcmp(verb, "drop") == 0)
        take_flight(script, argument, false);
    else if (strcmp(verb, "settle") == 0)
        settle(script);
    else if (strcmp(verb, "pass") == 0)
        pass(script, first);
    else if (first == 0 || first > script->node_count || !run_on_node(script, verb, first, second))
        fail_msg("no such command: %s", command);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void read_file(const char *path, struct buf *out) {
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("cannot open %s", path);
    char chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof(chunk), file)) > 0;)
        buf_append(out, chunk, got);
    fclose(file);
    buf_append_byte(out, 0);
}

/* Comments and blank lines are kept, commands are run, all else is what they said before. */
static void replay(const char *text, struct buf *out) {
    struct script *script = MEM_NEW(struct script);
    script->now_ns = 1000 * MS;
    script->out = out;
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        if (len == 0 || line[0] == '#' || line[0] == '>') {
            buf_append(out, line, len);
            buf_append_byte(out, '\n');
        }
        if (line[0] == '>') run_command(script, line + 1);
        line += len + (end ? 1 : 0);
    }
    for (size_t id = 1; id <= MAX_NODES; id++)
        if (script->nodes[id].raft) stop(&script->nodes[id]);
    mem_free(script);
}

static void compare(const char *path, const struct buf *before, const struct buf *now) {
    const char *a = (const char *)before->data, *b = (const char *)now->data;
    for (int line = 1; *a || *b; line++) {
        size_t a_len = strcspn(a, "\n"), b_len = strcspn(b, "\n");
        if (a_len != b_len || memcmp(a, b, a_len) != 0)
            fail_msg("%s:%d:\n  recorded: %.*s\n  now:      %.*s", path, line, (int)a_len, a,
                     (int)b_len, b);
        a += a_len + (a[a_len] != 0);
        b += b_len + (b[b_len] != 0);
    }
}

static void golden(const char *name) {
    char path[256];
    struct buf before = BUF_INIT, now = BUF_INIT;
    snprintf(path, sizeof(path), "tests/04-raft/golden/%s.txt", name);
    read_file(path, &before);
    replay((const char *)before.data, &now);
    buf_append_byte(&now, 0);
    if (getenv("CAIRN_RECORD")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs((const char *)now.data, file);
        fclose(file);
    } else {
        compare(path, &before, &now);
    }
    buf_deinit(&before);
    buf_deinit(&now);
}

#define GOLDEN(name)                                                                               \
    TEST("8", 0, golden_##name) { golden(#name); }

GOLDEN(election)
GOLDEN(split_vote)
GOLDEN(replication)
GOLDEN(conflict)
GOLDEN(commit_of_older_terms)
GOLDEN(pre_vote)
GOLDEN(check_quorum)
GOLDEN(read_index)
GOLDEN(snapshot)
GOLDEN(crash)

TEST("8", 0, every_transcript_is_replayed) {
    DIR *dir = opendir("tests/04-raft/golden");
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    assert_int_equal(10, count);
}
