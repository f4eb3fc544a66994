/* kv_prompt.c - a person's words to calls, and answers to a person's words (kv_prompt.h). Must not
 * know connections or retries: rpc_caller.h has them. */
#include "kv_prompt.h"

#include <stdio.h>
#include <unistd.h>

#include "mem.h"
#include "prompt.h"
#include "rpc_caller.h"
#include "simple_kv.pb-c.h"

enum { LINE_BYTES = 64 * 1024, MAX_WORDS = 3, PRINTED_BYTES = 4096 };

/* Lines are read on a work lane, so that the loop goes on (pings, dialling again) while a person
 * thinks. One command at a time: read, call, print, read again. */
struct kv_prompt {
    struct env *env;
    struct rpc_pool *pool;
    struct rpc_caller *caller;
    struct env_work read;
    char line[LINE_BYTES];
    struct buf words;
    bool end; /* of the input */
    uint32_t method;
    bool failed;
};

static void read_line(void *arg) {
    struct kv_prompt *prompt = arg;
    if (isatty(STDIN_FILENO)) printf("kv> ");
    fflush(stdout);
    prompt->end = !fgets(prompt->line, sizeof prompt->line, stdin);
}

static void next_command(struct kv_prompt *prompt) {
    env_work_submit(prompt->env, LANE_BACKGROUND, &prompt->read);
}

/* ---- answers -------------------------------------------------------------------------------- */

static void print_bytes(ProtobufCBinaryData bytes) {
    char printed[PRINTED_BYTES];
    fputs(slice_print(rpc_slice(bytes), printed, sizeof printed), stdout);
}

static void print_pairs(const struct kv_prompt *prompt, const SimpleKvReply *reply) {
    bool scan = prompt->method == SIMPLE_KV_METHOD__SIMPLE_KV_SCAN;
    for (size_t i = 0; i < reply->n_pairs; i++) {
        if (scan) {
            print_bytes(reply->pairs[i]->key);
            fputs(" = ", stdout);
        }
        print_bytes(reply->pairs[i]->value);
        putchar('\n');
    }
    if (reply->more) printf("... (more than %zu; give a start)\n", reply->n_pairs);
    if (!scan && reply->n_pairs == 0) puts("OK");
}

static void print_failure(enum status status, const struct error *error) {
    if (status == STATUS_NOT_FOUND)
        puts("(no such key)");
    else if (status == STATUS_UNSUPPORTED)
        printf("%s: %s; it does not serve SimpleKv\n", status_name(status), error->message);
    else
        printf("%s: %s\n", status_name(status), error->message);
}

static void on_reply(void *arg, enum status status, struct slice payload,
                     const struct error *error) {
    struct kv_prompt *prompt = arg;
    struct arena arena;
    arena_init(&arena, 0);
    if (status != STATUS_OK) {
        print_failure(status, error);
        prompt->failed = prompt->failed || status != STATUS_NOT_FOUND;
    } else {
        const SimpleKvReply *reply =
            (const SimpleKvReply *)rpc_unpack(&simple_kv_reply__descriptor, payload, &arena);
        if (reply) {
            print_pairs(prompt, reply);
        } else {
            puts("malformed reply");
            prompt->failed = true;
        }
    }
    arena_deinit(&arena);
    next_command(prompt);
}

/* ---- commands ------------------------------------------------------------------------------- */

struct command {
    const char *name;
    size_t words_min, words_max;
    uint32_t method;
    enum rpc_repeat repeat;
    const char *usage;
};

static const struct command commands[] = {
    {"put", 3, 3, SIMPLE_KV_METHOD__SIMPLE_KV_PUT, RPC_ONCE, "put KEY VALUE"},
    {"get", 2, 2, SIMPLE_KV_METHOD__SIMPLE_KV_GET, RPC_IDEMPOTENT, "get KEY"},
    {"delete", 2, 2, SIMPLE_KV_METHOD__SIMPLE_KV_DELETE, RPC_ONCE, "delete KEY"},
    {"scan", 1, 3, SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, RPC_IDEMPOTENT,
     "scan [START [END]]   keys from START up to END, without END"},
};

static void print_help(void) {
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        puts(commands[i].usage);
    puts("help\nquit                 so does the end of the input\n"
         "A word in double quotes may hold blanks and \\\" \\\\ \\n \\xNN.");
}

static const struct command *find_command(struct slice word) {
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (slice_equal(slice_of_string(commands[i].name), word)) return &commands[i];
    return NULL;
}

static void call(struct kv_prompt *prompt, const struct command *command,
                 const struct slice *words) {
    SimpleKvRequest message = SIMPLE_KV_REQUEST__INIT;
    message.key = rpc_bytes(words[1]);
    if (command->method == SIMPLE_KV_METHOD__SIMPLE_KV_PUT)
        message.value = rpc_bytes(words[2]);
    else
        message.end = rpc_bytes(words[2]);
    struct request request = request_init(env_now_ns(prompt->env) + KV_PROMPT_TIMEOUT_S * NS_PER_S);
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, &message.base);
    prompt->method = command->method;
    rpc_caller_call(prompt->caller, command->method, buf_slice(&payload), command->repeat, &request,
                    on_reply, prompt);
    buf_deinit(&payload);
}

/* False: answered here, no call was made. */
static bool run_words(struct kv_prompt *prompt, const struct slice *words, size_t count) {
    const struct command *command = find_command(words[0]);
    if (slice_equal(words[0], SLICE_LITERAL("help"))) {
        print_help();
        return false;
    }
    if (!command || count < command->words_min || count > command->words_max) {
        printf("INVALID: %s%s\n", command ? "usage: " : "no such command; try help",
               command ? command->usage : "");
        prompt->failed = true;
        return false;
    }
    call(prompt, command, words);
    return true;
}

static void run_line(void *arg) {
    struct kv_prompt *prompt = arg;
    struct slice words[MAX_WORDS] = {SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY};
    struct error error;
    size_t count = 0;
    if (prompt->end) {
        env_stop(prompt->env);
        return;
    }
    if (prompt_split(prompt->line, &prompt->words, words, MAX_WORDS, &count, &error) != STATUS_OK) {
        print_failure(error.status, &error);
        prompt->failed = true;
    } else if (count > 0 && slice_equal(words[0], SLICE_LITERAL("quit"))) {
        env_stop(prompt->env);
        return;
    } else if (count > 0 && run_words(prompt, words, count)) {
        return;
    }
    next_command(prompt);
}

/* ---- lifetime ------------------------------------------------------------------------------- */

static enum status add_addresses(struct rpc_pool *pool, const char *addresses,
                                 struct error *error) {
    char address[RPC_ADDRESS_MAX];
    for (const char *rest = addresses;; rest++) {
        size_t len = strcspn(rest, ",");
        if (len >= sizeof address)
            return error_set(error, STATUS_INVALID, "an address of %zu bytes", len);
        memcpy(address, rest, len);
        address[len] = 0;
        TRY(rpc_pool_add(pool, address, error));
        rest += len;
        if (*rest == 0) return STATUS_OK;
    }
}

int kv_prompt_run(struct rpc_context *context, const char *addresses, unsigned max_attempts) {
    struct error error;
    struct kv_prompt *prompt = MEM_NEW(struct kv_prompt);
    prompt->env = context->env;
    prompt->pool = rpc_pool_new(context, NULL);
    int result = 2;
    if (add_addresses(prompt->pool, addresses, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
    } else {
        struct retry_policy policy = retry_policy_default();
        policy.max_attempts = max_attempts;
        prompt->caller = rpc_caller_new(context, prompt->pool, &policy);
        prompt->read = (struct env_work){.run = read_line, .done = run_line, .arg = prompt};
        next_command(prompt);
        env_run(prompt->env);
        result = prompt->failed ? 1 : 0;
    }
    rpc_caller_free(prompt->caller);
    rpc_pool_free(prompt->pool);
    buf_deinit(&prompt->words);
    mem_free(prompt);
    return result;
}
