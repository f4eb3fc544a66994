/* The simulated machines: clocks, turns, lanes, disks, networks, and that a seed is one history. */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "env_sim.h"
#include "harness.h"
#include "mem.h"

static struct sim *new_sim(uint64_t seed) {
    struct sim_options options = {.seed = seed};
    return sim_new(&options);
}

/* ---- time ----------------------------------------------------------------------------------- */

struct ticks {
    struct env *env;
    struct env_timer timer;
    uint64_t asked_ns, fired_ns;
    int count;
};

static void on_tick(void *arg) {
    struct ticks *ticks = arg;
    ticks->fired_ns = env_now_ns(ticks->env);
    ticks->count++;
}

static void start_tick(struct ticks *ticks, struct env *env, uint64_t after_ns) {
    ticks->env = env;
    ticks->asked_ns = env_now_ns(env) + after_ns;
    env_timer_init(&ticks->timer, on_tick, ticks);
    env_timer_start(env, &ticks->timer, ticks->asked_ns);
}

TEST("1", 5, a_timer_fires_at_its_virtual_time) {
    struct sim *sim = new_sim(1);
    struct ticks ticks = {0};
    start_tick(&ticks, sim_env(sim, sim_add(sim, NULL, NULL)), 3600 * NS_PER_S);
    sim_run(sim, 3599 * NS_PER_S);
    assert_int_equal(0, ticks.count);
    sim_run(sim, 2 * NS_PER_S);
    assert_int_equal(1, ticks.count);
    assert_true(ticks.fired_ns >= ticks.asked_ns && ticks.fired_ns < ticks.asked_ns + NS_PER_MS);
    sim_free(sim);
}

static void on_restart(void *arg) {
    struct ticks *ticks = arg;
    ticks->count++;
    env_timer_start(ticks->env, &ticks->timer, env_now_ns(ticks->env));
}

TEST("1", 5, a_timer_that_restarts_at_once_does_not_stop_time) {
    struct sim *sim = new_sim(1);
    struct ticks ticks = {.env = sim_env(sim, sim_add(sim, NULL, NULL))};
    env_timer_init(&ticks.timer, on_restart, &ticks);
    env_timer_start(ticks.env, &ticks.timer, 0);
    sim_run(sim, 10 * NS_PER_MS);
    assert_true(ticks.count > 100 && ticks.count < 20000);
    sim_free(sim);
}

TEST("1", 0, clocks_of_machines_differ_and_a_wall_clock_can_be_moved) {
    struct sim *sim = new_sim(1);
    uint64_t a = sim_add(sim, NULL, NULL), b = sim_add(sim, NULL, NULL);
    assert_true(env_now_ns(sim_env(sim, a)) != env_now_ns(sim_env(sim, b)));
    assert_true(env_wall_ns(sim_env(sim, a)) == env_wall_ns(sim_env(sim, b)));
    sim_set_wall_offset(sim, b, -(int64_t)NS_PER_S);
    assert_true(env_wall_ns(sim_env(sim, a)) == env_wall_ns(sim_env(sim, b)) + NS_PER_S);
    sim_free(sim);
}

TEST("1", 1, randomness_is_a_function_of_seed_machine_and_component) {
    struct sim *sim = new_sim(1), *same = new_sim(1), *other = new_sim(2);
    struct prng a, b, c, d;
    uint64_t id = sim_add(sim, NULL, NULL);
    sim_add(same, NULL, NULL);
    sim_add(other, NULL, NULL);
    env_random(sim_env(sim, id), "raft", &a);
    env_random(sim_env(same, id), "raft", &b);
    env_random(sim_env(sim, id), "gossip", &c);
    env_random(sim_env(other, id), "raft", &d);
    uint64_t value = prng_u64(&a);
    assert_true(value == prng_u64(&b));
    assert_true(value != prng_u64(&c));
    assert_true(value != prng_u64(&d));
    sim_free(sim);
    sim_free(same);
    sim_free(other);
}

/* ---- lanes ---------------------------------------------------------------------------------- */

struct job {
    struct env_work work;
    struct buf *order;
    char name;
};

static void run_job(void *arg) {
    struct job *job = arg;
    buf_append_byte(job->order, (uint8_t)job->name);
}

static void job_done(void *arg) {
    struct job *job = arg;
    buf_append_byte(job->order, (uint8_t)(job->name - 'a' + 'A'));
}

static void submit(struct job *job, struct env *env, enum work_lane lane, struct buf *order,
                   char name) {
    *job = (struct job){.order = order, .name = name};
    job->work = (struct env_work){.run = run_job, .done = job_done, .arg = job};
    env_work_submit(env, lane, &job->work);
}

TEST("1", 0, work_on_a_lane_runs_in_order_and_is_reported_later) {
    struct sim *sim = new_sim(1);
    struct env *env = sim_env(sim, sim_add(sim, NULL, NULL));
    struct buf order = BUF_INIT;
    struct job jobs[3];
    for (int i = 0; i < 3; i++)
        submit(&jobs[i], env, LANE_BACKGROUND, &order, (char)('a' + i));
    assert_int_equal(0, order.len);
    sim_run(sim, 100 * NS_PER_MS);
    assert_int_equal(6, order.len);
    char runs[4] = "", reports[4] = "";
    for (size_t i = 0; i < order.len; i++)
        strncat(order.data[i] >= 'a' ? runs : reports, (char *)&order.data[i], 1);
    assert_string_equal("abc", runs);
    assert_string_equal("ABC", reports);
    buf_deinit(&order);
    sim_free(sim);
}

/* ---- a node that keeps lines in a file ------------------------------------------------------ */

struct notes {
    struct env *env;
    struct file *file;
    struct file_sync_op sync;
    bool syncing;
    uint64_t size;
    int syncs;
};

static void *notes_start(struct env *env, const void *options, struct error *error) {
    (void)options;
    struct notes *notes = MEM_NEW(struct notes);
    notes->env = env;
    if (env_dir_create(env, "data", error) != STATUS_OK ||
        env_file_open(env, "data/notes", FILE_READ_WRITE, &notes->file, error) != STATUS_OK ||
        env_dir_sync(env, "data", error) != STATUS_OK ||
        file_size(notes->file, &notes->size, error) != STATUS_OK) {
        mem_free(notes);
        return NULL;
    }
    return notes;
}

static void notes_end(void *node) {
    struct notes *notes = node;
    file_close(notes->file);
    mem_free(notes);
}

static const struct node_ops notes_ops = {notes_start, notes_end, notes_end};

static void note(struct notes *notes, const char *text) {
    struct error error;
    assert_ok(file_write_at(notes->file, notes->size, slice_of_string(text), &error), &error);
    notes->size += strlen(text);
}

static void note_synced(void *arg, enum status status, const struct error *error) {
    struct notes *notes = arg;
    (void)error;
    assert_status(STATUS_OK, status);
    notes->syncing = false;
    notes->syncs++;
}

static void sync_notes(struct notes *notes) {
    notes->syncing = true;
    notes->sync.done = note_synced;
    notes->sync.arg = notes;
    file_sync_start(notes->file, &notes->sync);
}

static char *read_notes(const struct notes *notes) {
    static char text[4096];
    size_t len = 0;
    struct error error;
    assert_ok(file_read_at(notes->file, 0, text, sizeof(text) - 1, &len, &error), &error);
    text[len] = '\0';
    return text;
}

static struct notes *start_notes(struct sim *sim, uint64_t machine) {
    struct error error;
    assert_ok(sim_start(sim, machine, &error), &error);
    return sim_node(sim, machine);
}

TEST("2", 3, what_was_not_synced_is_lost_at_a_crash) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, &notes_ops, NULL);
    struct notes *notes = start_notes(sim, machine);
    note(notes, "synced ");
    sync_notes(notes);
    sim_run(sim, 50 * NS_PER_MS);
    assert_int_equal(1, notes->syncs);
    note(notes, "not synced");
    sim_crash(sim, machine, LOSE_ALL_UNSYNCED);
    assert_false(sim_is_up(sim, machine));
    assert_null(sim_node(sim, machine));
    notes = start_notes(sim, machine);
    assert_string_equal("synced ", read_notes(notes));
    sim_free(sim);
}

TEST("2", 3, a_sync_under_way_at_a_crash_makes_nothing_durable) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, &notes_ops, NULL);
    struct notes *notes = start_notes(sim, machine);
    note(notes, "lost");
    sync_notes(notes);
    sim_crash(sim, machine, LOSE_ALL_UNSYNCED);
    notes = start_notes(sim, machine);
    sim_run(sim, NS_PER_S);
    assert_int_equal(0, notes->syncs);
    assert_string_equal("", read_notes(notes));
    sim_free(sim);
}

TEST("2", 3, a_sync_covers_only_what_was_written_before_it) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, &notes_ops, NULL);
    struct notes *notes = start_notes(sim, machine);
    note(notes, "before ");
    sync_notes(notes);
    note(notes, "after");
    sim_run(sim, 50 * NS_PER_MS);
    sim_crash(sim, machine, LOSE_ALL_UNSYNCED);
    assert_string_equal("before ", read_notes(start_notes(sim, machine)));
    sim_free(sim);
}

TEST("2", 3, what_was_written_survives_an_orderly_stop_but_not_the_power_failure_after_it) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, &notes_ops, NULL);
    note(start_notes(sim, machine), "in the page cache");
    sim_stop(sim, machine);
    assert_string_equal("in the page cache", read_notes(start_notes(sim, machine)));
    sim_crash(sim, machine, LOSE_ALL_UNSYNCED);
    assert_string_equal("", read_notes(start_notes(sim, machine)));
    sim_free(sim);
}

TEST("2", 3, a_name_that_was_not_synced_is_lost_at_a_crash) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, &notes_ops, NULL);
    struct notes *notes = start_notes(sim, machine);
    struct error error;
    struct file *file = NULL;
    assert_ok(env_file_open(notes->env, "data/new", FILE_CREATE, &file, &error), &error);
    assert_ok(file_sync(file, &error), &error);
    file_close(file);
    assert_true(env_file_exists(notes->env, "data/new"));
    sim_crash(sim, machine, LOSE_ALL_UNSYNCED);
    notes = start_notes(sim, machine);
    assert_false(env_file_exists(notes->env, "data/new"));
    assert_true(env_file_exists(notes->env, "data/notes"));
    sim_free(sim);
}

TEST("2", 3, sectors_tear_at_a_crash) {
    bool torn = false;
    for (uint64_t seed = 1; seed < 40 && !torn; seed++) {
        struct sim *sim = new_sim(seed);
        uint64_t machine = sim_add(sim, &notes_ops, NULL);
        struct notes *notes = start_notes(sim, machine);
        char block[2049];
        memset(block, 'x', 2048);
        block[2048] = '\0';
        note(notes, block);
        sim_crash(sim, machine, LOSE_SOME);
        const char *text = read_notes(start_notes(sim, machine));
        size_t kept = strspn(text, "x");
        torn = kept > 0 && kept < 2048 && kept % 512 == 0;
        sim_free(sim);
    }
    assert_true(torn);
}

static void die(void *arg) {
    struct notes *notes = arg;
    env_fatal(notes->env, "%s", "beyond repair");
    note(notes, "and on it writes");
}

TEST("2", 4, a_node_that_finds_itself_damaged_crashes_and_stays_off) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, &notes_ops, NULL);
    struct notes *notes = start_notes(sim, machine);
    struct env_timer timer;
    env_timer_init(&timer, die, notes);
    env_timer_start(notes->env, &timer, env_now_ns(notes->env) + NS_PER_MS);
    sim_run(sim, NS_PER_S);
    assert_false(sim_is_up(sim, machine));
    sim_free(sim);
}

TEST("2", 0, a_directory_in_use_is_refused_and_free_after_a_crash) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, &notes_ops, NULL);
    struct notes *notes = start_notes(sim, machine);
    struct dir_lock *lock = NULL, *second = NULL;
    struct error error;
    assert_ok(env_dir_lock(notes->env, "data", &lock, &error), &error);
    assert_status(STATUS_IN_USE, env_dir_lock(notes->env, "data", &second, &error));
    sim_crash(sim, machine, LOSE_NONE);
    notes = start_notes(sim, machine);
    assert_ok(env_dir_lock(notes->env, "data", &lock, &error), &error);
    dir_unlock(lock);
    sim_free(sim);
}

static void list_name(void *arg, const char *name) {
    buf_append_string(arg, name);
    buf_append_byte(arg, ' ');
}

TEST("2", 0, files_are_renamed_removed_listed_and_cut) {
    struct sim *sim = new_sim(1);
    uint64_t machine = sim_add(sim, NULL, NULL);
    struct env *env = sim_env(sim, machine);
    struct error error;
    struct file *file = NULL;
    struct buf names = BUF_INIT;
    assert_status(STATUS_NOT_FOUND, env_file_open(env, "a/b/x", FILE_READ_WRITE, &file, &error));
    assert_ok(env_dir_create(env, "a/b", &error), &error);
    assert_ok(env_file_open(env, "a/b/x", FILE_CREATE, &file, &error), &error);
    assert_status(STATUS_EXISTS, env_file_open(env, "a/b/x", FILE_CREATE, &file, &error));
    assert_ok(file_write_at(file, 5000, SLICE_LITERAL("tail"), &error), &error);
    assert_ok(file_truncate(file, 5002, &error), &error);
    uint8_t bytes[16];
    size_t got = 0;
    assert_ok(file_read_at(file, 4998, bytes, sizeof(bytes), &got, &error), &error);
    assert_slice_equal(SLICE_LITERAL("\0\0ta"), slice_of(bytes, got));
    assert_ok(env_file_rename(env, "a/b/x", "a/b/y", &error), &error);
    assert_ok(env_dir_create(env, "a/b/sub", &error), &error);
    assert_ok(env_dir_list(env, "a/b", list_name, &names, &error), &error);
    assert_slice_equal(SLICE_LITERAL("sub y "), buf_slice(&names));
    assert_ok(env_file_remove(env, "a/b/y", &error), &error);
    assert_false(env_file_exists(env, "a/b/y"));
    assert_ok(file_read_at(file, 5000, bytes, sizeof(bytes), &got, &error), &error);
    assert_slice_equal(SLICE_LITERAL("ta"), slice_of(bytes, got)); /* still open */
    file_close(file);
    buf_deinit(&names);
    sim_free(sim);
}

/* ---- streams -------------------------------------------------------------------------------- */

/* A node that sends back what it gets. */
struct echo {
    struct env *env;
    struct listener *listener;
    struct stream *streams[64];
    size_t count;
};

static void echo_input(void *arg, struct stream *stream) {
    (void)arg;
    struct slice input = stream_input(stream);
    stream_write(stream, input);
    stream_consume(stream, input.len);
}

static void echo_close(void *arg, struct stream *stream, enum status reason) {
    struct echo *echo = arg;
    (void)reason;
    for (size_t i = 0; i < echo->count; i++)
        if (echo->streams[i] == stream) echo->streams[i] = echo->streams[--echo->count];
}

static void echo_accept(void *arg, struct stream *stream) {
    static const struct stream_handler handler = {.on_input = echo_input, .on_close = echo_close};
    struct echo *echo = arg;
    echo->streams[echo->count++] = stream;
    stream_set_handler(stream, &handler, echo);
}

static void *echo_start(struct env *env, const void *options, struct error *error) {
    (void)options;
    struct echo *echo = MEM_NEW(struct echo);
    echo->env = env;
    if (env_listen(env, "", 7, echo_accept, echo, &echo->listener, error) == STATUS_OK) return echo;
    mem_free(echo);
    return NULL;
}

static void echo_end(void *node) {
    struct echo *echo = node;
    while (echo->count > 0)
        stream_close(echo->streams[--echo->count]);
    listener_close(echo->listener);
    mem_free(echo);
}

static const struct node_ops echo_ops = {echo_start, echo_end, echo_end};

struct client {
    struct env *env;
    struct stream *stream;
    struct buf received;
    bool open, closed, slow;
    enum status reason;
};

static void client_open(void *arg, struct stream *stream) {
    (void)stream;
    ((struct client *)arg)->open = true;
}

static void client_input(void *arg, struct stream *stream) {
    struct client *client = arg;
    if (client->slow) return;
    struct slice input = stream_input(stream);
    buf_append_slice(&client->received, input);
    stream_consume(stream, input.len);
}

static void client_close(void *arg, struct stream *stream, enum status reason) {
    struct client *client = arg;
    (void)stream;
    client->closed = true;
    client->stream = NULL;
    client->reason = reason;
}

static const struct stream_handler client_handler = {
    .on_open = client_open, .on_input = client_input, .on_close = client_close};

struct scene {
    struct sim *sim;
    uint64_t server, machine;
    struct client client;
};

static void dial(struct scene *scene, uint16_t port) {
    struct client *client = &scene->client;
    client->env = sim_env(scene->sim, scene->machine);
    client->stream = env_dial(client->env, sim_address(scene->sim, scene->server), port,
                              2 * NS_PER_S, &client_handler, client);
}

static void set_scene(struct scene *scene, uint64_t seed) {
    *scene = (struct scene){.sim = new_sim(seed)};
    struct error error;
    scene->server = sim_add(scene->sim, &echo_ops, NULL);
    scene->machine = sim_add(scene->sim, NULL, NULL);
    assert_ok(sim_start(scene->sim, scene->server, &error), &error);
    dial(scene, 7);
    sim_run(scene->sim, 10 * NS_PER_MS);
    assert_true(scene->client.open);
}

static void leave(struct scene *scene) {
    stream_abort(scene->client.stream);
    buf_deinit(&scene->client.received);
    sim_free(scene->sim);
}

static void write_number(struct scene *scene, uint32_t number) {
    stream_write(scene->client.stream, slice_of(&number, sizeof(number)));
}

static void assert_numbers(struct scene *scene, uint32_t count) {
    assert_int_equal(count * sizeof(uint32_t), scene->client.received.len);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number;
        memcpy(&number, scene->client.received.data + i * sizeof(number), sizeof(number));
        assert_int_equal(i, number);
    }
}

TEST("3", 2, a_stream_delivers_all_bytes_in_order) {
    struct scene scene;
    set_scene(&scene, 5);
    for (uint32_t i = 0; i < 2000; i++) {
        write_number(&scene, i);
        if (i % 7 == 0) sim_run(scene.sim, 100 * NS_PER_US);
    }
    sim_run(scene.sim, NS_PER_S);
    assert_numbers(&scene, 2000);
    leave(&scene);
}

TEST("3", 2, a_reader_that_pauses_is_felt_by_its_writer_and_loses_nothing) {
    struct scene scene;
    set_scene(&scene, 5);
    scene.client.slow = true;
    enum { NUMBERS = 2000000 };
    for (uint32_t i = 0; i < NUMBERS; i++)
        write_number(&scene, i);
    sim_run(scene.sim, NS_PER_S);
    struct echo *echo = sim_node(scene.sim, scene.server);
    assert_true(stream_pending(echo->streams[0]) > 0);
    assert_true(stream_input(scene.client.stream).len < 1024 * 1024);
    scene.client.slow = false;
    client_input(&scene.client, scene.client.stream);
    sim_run(scene.sim, 60 * NS_PER_S);
    assert_numbers(&scene, NUMBERS);
    leave(&scene);
}

TEST("3", 0, a_dial_to_a_port_where_nobody_listens_is_unavailable) {
    struct scene scene;
    set_scene(&scene, 5);
    stream_close(scene.client.stream);
    dial(&scene, 8);
    sim_run(scene.sim, 10 * NS_PER_MS);
    assert_true(scene.client.closed);
    assert_status(STATUS_UNAVAILABLE, scene.client.reason);
    leave(&scene);
}

TEST("3", 0, a_dial_to_a_machine_that_is_off_times_out) {
    struct scene scene;
    set_scene(&scene, 5);
    stream_close(scene.client.stream);
    sim_crash(scene.sim, scene.server, LOSE_ALL_UNSYNCED);
    dial(&scene, 7);
    sim_run(scene.sim, 3 * NS_PER_S);
    assert_true(scene.client.closed);
    assert_status(STATUS_DEADLINE, scene.client.reason);
    leave(&scene);
}

TEST("3", 0, an_orderly_close_delivers_what_was_written_first) {
    struct scene scene;
    set_scene(&scene, 5);
    write_number(&scene, 0);
    sim_run(scene.sim, 200 * NS_PER_US);
    sim_stop(scene.sim, scene.server);
    sim_run(scene.sim, 10 * NS_PER_MS);
    assert_true(scene.client.closed);
    leave(&scene);
}

TEST("3", 2, a_crash_breaks_streams_at_once_or_when_the_other_side_next_sends) {
    int at_once = 0, later = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scene scene;
        struct error error;
        set_scene(&scene, seed);
        sim_crash(scene.sim, scene.server, LOSE_ALL_UNSYNCED);
        sim_run(scene.sim, 10 * NS_PER_MS);
        if (scene.client.closed) {
            at_once++;
        } else {
            later++;
            assert_ok(sim_start(scene.sim, scene.server, &error), &error);
            write_number(&scene, 1);
            sim_run(scene.sim, 10 * NS_PER_MS);
            assert_true(scene.client.closed);
        }
        assert_status(STATUS_IO, scene.client.reason);
        leave(&scene);
    }
    assert_true(at_once > 0 && later > 0);
}

TEST("3", 2, a_partition_delays_what_is_sent_until_it_heals) {
    struct scene scene;
    set_scene(&scene, 5);
    sim_cut(scene.sim, scene.server, scene.machine, true);
    for (uint32_t i = 0; i < 10; i++) {
        write_number(&scene, i);
        sim_run(scene.sim, 10 * NS_PER_MS);
    }
    assert_int_equal(0, scene.client.received.len);
    sim_heal(scene.sim);
    sim_run(scene.sim, 10 * NS_PER_MS);
    assert_numbers(&scene, 10);
    leave(&scene);
}

TEST("3", 2, a_dial_across_a_partition_times_out) {
    struct scene scene;
    set_scene(&scene, 5);
    stream_close(scene.client.stream);
    sim_run(scene.sim, 10 * NS_PER_MS);
    sim_cut(scene.sim, scene.server, scene.machine, true);
    dial(&scene, 7);
    sim_run(scene.sim, 3 * NS_PER_S);
    assert_true(scene.client.closed);
    assert_status(STATUS_DEADLINE, scene.client.reason);
    leave(&scene);
}

/* ---- a seed is one history ------------------------------------------------------------------ */

static uint64_t history(uint64_t seed, uint64_t *events) {
    struct scene scene;
    set_scene(&scene, seed);
    struct prng *prng = sim_prng(scene.sim);
    for (uint32_t i = 0; i < 300; i++) {
        struct error error;
        if (scene.client.stream) write_number(&scene, i);
        if (scene.client.closed) {
            scene.client.closed = false;
            dial(&scene, 7);
        }
        uint64_t fault = prng_below(prng, 40);
        if (fault == 0) sim_crash(scene.sim, scene.server, LOSE_SOME);
        if (fault == 1) sim_cut(scene.sim, scene.server, scene.machine, true);
        if (fault == 2) sim_heal(scene.sim);
        if (fault >= 35 && !sim_is_up(scene.sim, scene.server))
            assert_ok(sim_start(scene.sim, scene.server, &error), &error);
        sim_run(scene.sim, prng_between(prng, 1, 20 * NS_PER_MS));
    }
    uint64_t hash = sim_trace_hash(scene.sim);
    *events = sim_event_count(scene.sim);
    leave(&scene);
    return hash;
}

TEST("4", 1, the_same_seed_gives_the_same_trace_and_another_seed_another) {
    uint64_t events[3];
    uint64_t first = history(7, &events[0]), second = history(7, &events[1]);
    uint64_t other = history(8, &events[2]);
    assert_true(events[0] > 500);
    assert_int_equal(events[0], events[1]);
    assert_true(first == second);
    assert_true(first != other);
}

TEST("4", 4, many_histories_end_without_a_trace_of_crashed_nodes) {
    TEST_LIMIT(30000);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t events;
        history(seed, &events);
    }
}
