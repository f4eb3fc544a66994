# The only build file. `make help` lists what it does.
#
# Nothing is listed by hand: a chapter is a directory chapters/NN-name, its sources are the *.c and
# *.proto in it, its libraries stand in its file `deps`. Two rules keep the layers apart:
#   - a source of chapter N is compiled with an include path of lib/ and chapters 1..N only;
#   - every program is linked from an explicit list of objects (never an archive), and chapter N's
#     programs list the objects of lib/ and chapters 1..N only.
# A list of objects or a set of flags is kept in a file that is rewritten only when it changes;
# what was made from it depends on that file. So a source that is added or deleted relinks
# exactly the programs it concerns.

ifneq ($(filter 3.% 4.0% 4.1%,$(MAKE_VERSION)),)
$(error GNU make 4.2 or newer is needed; on macOS: brew install make, then use gmake)
endif

MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN)#  unless the command line has a -j
endif
SHELL := /bin/sh
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# ---- what may be set on the command line ---------------------------------------------------------

ifneq ($(filter default undefined,$(origin CC)),)
CC := cc
endif
WERROR ?= 1
VARIANT ?=#              asan, tsan or cov: an object tree of its own under build/
V ?=#                    1 shows the commands
CH ?=#                   a chapter, by number: 04
SUITE ?=#                a suite, by name: test_log or log
SKIP ?=#                 scripts that `make test` leaves out: "cluster sql"
STEP ?=#                 of an exercise: 2
TEST ?=#                 of an exercise, by name
APPLY ?=#                1: `make solution` splices it in
NAME ?=#                 of a new chapter
AFRESH ?=#               1: `make mutants` runs also what has not changed
STACK ?=#                1: `make grade` on your own lower chapters
TRACE ?=#                1: `make debug` prints calls, arguments, answers and state instead of a prompt
MINE ?=#                 1: `make node`, `make run` with your functions that passed; 1/3: in one node of three
ENGINE ?=#               of `make run`: mem, lsm, btree, rocksdb
ARGS ?=#                 for `make node`, `make bench`
NODES ?= 3
PORT ?= 9001
DIR ?= data
KEEP ?=#                 1: `make run` leaves the cluster running
ONLY ?=#                 a diagram, by name: layers
SERVE ?=#                0: `make site` only builds

# ---- flags ---------------------------------------------------------------------------------------

B := build$(if $(VARIANT),/$(VARIANT))

OPTIMIZE      := -O2 -g
OPTIMIZE.asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPTIMIZE.tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
OPTIMIZE.cov  := -O0 -g --coverage
ifneq ($(VARIANT),)
OPTIMIZE := $(or $(OPTIMIZE.$(VARIANT)),$(error VARIANT is asan, tsan or cov))
endif

BASE   := -std=c17 -D_GNU_SOURCE -pthread $(OPTIMIZE) $(CFLAGS)
# Whether gcc can tell that a text fits depends on what it optimizes: a variant would warn of texts that do.
STRICT := -Wall -Wextra -Wshadow -Wconversion $(if $(filter 1,$(WERROR)),-Werror) \
          $(if $(VARIANT),$(if $(findstring clang,$(CC)),,-Wno-format-truncation))
LINK    = $(CC) $(OPTIMIZE) -pthread $(LDFLAGS)
Q      := $(if $(V),,@)
say     = $(if $(V),,@echo "  $(1)")

# ---- what there is -------------------------------------------------------------------------------

CHAPTERS    := $(sort $(notdir $(patsubst %/,%,$(wildcard chapters/[0-9][0-9]-*/))))
FINAL_MAINS := $(wildcard final/cairnd.c final/cairn.c)
BENCHES     := $(wildcard final/bench/*.c)
# tests/NN-name, and tests/NN-name/reference for white-box suites, which are never graded.
SUITE_DIRS  := $(sort $(patsubst tests/%/,%,$(dir $(wildcard tests/*/test_*.c tests/*/reference/test_*.c))))
DEPS_FILES  := $(wildcard lib/deps chapters/*/deps final/deps tests/deps)

# Goals that must work on a machine where nothing is installed yet, or leave nothing behind.
# Those of the exercises call make for what they need.
EXERCISES := start grade hint solution progress reset update debug mutants lessons new-chapter
BARE := $(if $(MAKECMDGOALS),$(if $(filter-out clean help doctor site $(EXERCISES) $(if $(MINE),run node),$(MAKECMDGOALS)),,yes))
TOOL  = CC="$(CC)" CAIRN_BUILD=$(B) python3 -B exercises/tool

# $(call remember,file,text): the file holds the text; it is touched only when the text is new.
equal    = $(and $(findstring <$(1)>,<$(2)>),$(findstring <$(2)>,<$(1)>))
remember = $(if $(BARE)$(call equal,$(strip $(file <$(1))),$(strip : $(2))),,$(shell mkdir -p $(dir $(1)))$(file >$(1),$(strip : $(2))))

# ---- libraries -----------------------------------------------------------------------------------

# build/deps.mk holds what pkg-config says, as PKG_CFLAGS.<dir> and PKG_LIBS.<dir>. Making it
# installs what is missing. It is an included makefile, so make does this before anything else.
ifeq ($(BARE),)
$(call remember,build/deps.files,$(DEPS_FILES))
include build/deps.mk
endif

build/deps.mk: build/deps.files tests/lint/deps.sh $(DEPS_FILES)
	$(Q)CC="$(CC)" sh tests/lint/deps.sh install $(DEPS_FILES)
	$(Q)CC="$(CC)" sh tests/lint/deps.sh make $(DEPS_FILES) >$@.new && mv $@.new $@

# ---- layers: objects, include paths, libraries of lib/ and of each chapter -----------------------

object    = $(patsubst %.c,$(B)/obj/%.o,$(1))
generated = $(patsubst %.proto,build/gen/$(1)/%.pb-c.$(3),$(notdir $(2)))

# $(call layer,name,directory,sources,layers below)
define layer
PROTO.$(1)   := $$(wildcard $(2)/*.proto)
OBJ.$(1)     := $$(call object,$(3) $$(patsubst build/%,%,$$(call generated,$(1),$$(PROTO.$(1)),c)))
GEN_H.$(1)   := $$(call generated,$(1),$$(PROTO.$(1)),h)
UPTO.$(1)    := $(4) $(1)
QUOTE.$(1)   := -iquote $(2) $$(if $$(PROTO.$(1)),-iquote build/gen/$(1))
all_of.$(1)   = $$(strip $$(foreach l,$$(UPTO.$(1)),$$($$(2).$$(l))))
PROTO_PATH.$(1) := $(2)
endef
upto = $(strip $(foreach l,$(UPTO.$(2)),$($(1).$(l))))

$(eval $(call layer,lib,lib,$(sort $(wildcard lib/*.c)),))
LAYERS := lib
$(foreach c,$(CHAPTERS),\
  $(eval $(call layer,$(c),chapters/$(c),$(filter-out %/node.c,$(sort $(wildcard chapters/$(c)/*.c))),$(LAYERS)))\
  $(eval LAYERS += $(c)))

TOP         := $(lastword $(LAYERS))
FINAL_OBJ   := $(call object,$(filter-out $(FINAL_MAINS),$(sort $(wildcard final/*.c))))
HARNESS_OBJ := $(call object,$(wildcard tests/harness/harness.c))

# ---- compiling -----------------------------------------------------------------------------------

# $(call compile_dir,source directory,layer whose headers it may see,more flags)
define compile_dir
COMPILE.$(1) := $(CC) $(BASE) $(STRICT) $(3) $(call upto,QUOTE,$(2)) $(call upto,PKG_CFLAGS,$(2))
$$(call remember,$(B)/obj/$(1)/.flags,$$(COMPILE.$(1)))
$(B)/obj/$(1)/%.o: $(1)/%.c $(B)/obj/$(1)/.flags | $(call upto,GEN_H,$(2))
	$$(call say,CC    $$<)
	$(Q)$$(COMPILE.$(1)) -MMD -MP -c -o $$@ $$<
COMPILED += $$(addprefix $(1)|,$$(wildcard $(1)/*.c))
endef

# $(call generate_dir,layer,directory of its protos): protoc-c, and its output compiled without
# our warnings.
define generate_dir
COMPILE.gen/$(1) := $(CC) $(BASE) -w $(call upto,QUOTE,$(1)) $(call upto,PKG_CFLAGS,$(1))
$$(call remember,$(B)/obj/gen/$(1)/.flags,$$(COMPILE.gen/$(1)))
build/gen/$(1)/%.pb-c.c build/gen/$(1)/%.pb-c.h: $(2)/%.proto
	$$(call say,PROTO $$<)
	$(Q)mkdir -p build/gen/$(1) && protoc-c $(addprefix --proto_path=,$(call upto,PROTO_PATH,$(1))) --c_out=build/gen/$(1) $$<
$(B)/obj/gen/$(1)/%.o: build/gen/$(1)/%.c $(B)/obj/gen/$(1)/.flags | $(call upto,GEN_H,$(1))
	$$(call say,CC    $$<)
	$(Q)$$(COMPILE.gen/$(1)) -MMD -MP -c -o $$@ $$<
endef

$(eval $(call compile_dir,lib,lib))
$(foreach c,$(CHAPTERS),$(eval $(call compile_dir,chapters/$(c),$(c))))
$(foreach d,$(patsubst %/,%,$(sort $(dir $(wildcard final/*.c final/bench/*.c)))),\
  $(eval $(call compile_dir,$(d),$(TOP),-iquote final $(PKG_CFLAGS.final))))
$(foreach d,$(sort harness $(SUITE_DIRS)),\
  $(eval $(call compile_dir,tests/$(d),$(TOP),-iquote tests/harness -iquote tests/$(d:/reference=) -iquote final $(PKG_CFLAGS.tests) $(PKG_CFLAGS.final))))
$(foreach l,$(LAYERS),$(if $(PROTO.$(l)),$(eval $(call generate_dir,$(l),$(PROTO_PATH.$(l))))))

# What a deleted proto left behind must not be found by an include.
STALE := $(filter-out $(foreach l,$(LAYERS),$(GEN_H.$(l)) $(GEN_H.$(l):.h=.c)),$(wildcard build/gen/*/*))
$(if $(STALE),$(shell rm -f $(STALE)))

# ---- linking -------------------------------------------------------------------------------------

# $(call program,file,objects,libraries)
define program
$$(call remember,$(B)/lists/$(1),$(2) $(3))
$(B)/$(1): $(2) $(B)/lists/$(1)
	$$(call say,LINK  $$@)
	$(Q)mkdir -p $$(@D) && $$(LINK) -o $$@ $(2) $(3) -lm
OBJECTS += $(2)
endef

# For exercises/tool, which links an exercise's objects in place of a program's own.
$(call remember,$(B)/lists/link,$(LINK))

NODES_OF := $(foreach c,$(CHAPTERS),$(if $(wildcard chapters/$(c)/node.c),$(c)))
$(foreach c,$(NODES_OF),\
  $(eval $(call program,$(c)/node,$(call object,chapters/$(c)/node.c) $(call upto,OBJ,$(c)),$(call upto,PKG_LIBS,$(c)))))

WHOLE      := $(FINAL_OBJ) $(call upto,OBJ,$(TOP))
WHOLE_LIBS := $(call upto,PKG_LIBS,$(TOP)) $(PKG_LIBS.final)
$(foreach m,$(FINAL_MAINS),$(eval $(call program,$(basename $(notdir $(m))),$(call object,$(m)) $(WHOLE),$(WHOLE_LIBS))))
$(foreach m,$(BENCHES),$(eval $(call program,bench/$(basename $(notdir $(m))),$(call object,$(m)) $(WHOLE),$(WHOLE_LIBS))))

# A suite of chapter N: the test file, the harness, helpers beside it, lib/ and chapters 1..N.
# Suites of lib and of the harness link lib/ only, all others (sim, final) everything.
suite_layer   = $(or $(filter $(firstword $(subst /, ,$(1))),$(CHAPTERS)),$(if $(filter lib harness,$(1)),lib))
suite_objects = $(if $(suite_layer),$(call upto,OBJ,$(suite_layer)),$(WHOLE))
suite_libs    = $(if $(suite_layer),$(call upto,PKG_LIBS,$(suite_layer)),$(WHOLE_LIBS)) $(PKG_LIBS.tests)
suite_helpers = $(call object,$(filter-out tests/harness/harness.c $(wildcard tests/$(1)/test_*.c tests/$(1:/reference=)/test_*.c),$(sort $(wildcard tests/$(1)/*.c tests/$(1:/reference=)/*.c))))
$(foreach t,$(SUITE_DIRS),$(foreach s,$(wildcard tests/$(t)/test_*.c),\
  $(eval $(call program,$(s:.c=),$(call object,$(s)) $(HARNESS_OBJ) $(call suite_helpers,$(t)) $(call suite_objects,$(t)),$(call suite_libs,$(t))))))

-include $(patsubst %.o,%.d,$(sort $(OBJECTS)))

NODE_BINS  := $(NODES_OF:%=$(B)/%/node)
FINAL_BINS := $(patsubst final/%.c,$(B)/%,$(FINAL_MAINS))
BENCH_BINS := $(patsubst final/bench/%.c,$(B)/bench/%,$(BENCHES))
SUITE_BINS := $(foreach t,$(SUITE_DIRS),$(patsubst %.c,$(B)/%,$(wildcard tests/$(t)/test_*.c)))

# For editors and clang-tidy. Written by make itself: the list is longer than a command may be.
comma := ,
$(call remember,$(B)/compile_commands.list,$(foreach e,$(COMPILED),$(COMPILE.$(firstword $(subst |, ,$(e)))) $(e)))
entry = {"directory":"$(CURDIR)"$(comma)"file":"$(2)"$(comma)"command":"$(COMPILE.$(1)) -c -o $(call object,$(2)) $(2)"}
$(B)/compile_commands.json: $(B)/compile_commands.list
	$(Q)$(file >$@,[)$(foreach e,$(COMPILED),$(file >>$@,$(call entry,$(firstword $(subst |, ,$(e))),$(lastword $(subst |, ,$(e))))$(if $(filter $(e),$(lastword $(COMPILED))),,$(comma))))$(file >>$@,])true

# ---- targets -------------------------------------------------------------------------------------

.PHONY: all programs headers run test soak node asan tsan valgrind coverage bench bench-engines diagrams site lint format deps doctor clean help $(EXERCISES)

# Also the objects that no program needs yet.
all: $(call upto,OBJ,$(TOP)) $(FINAL_OBJ) programs $(SUITE_BINS) $(B)/compile_commands.json
programs: $(NODE_BINS) $(FINAL_BINS) $(BENCH_BINS)
headers: $(foreach l,$(LAYERS),$(GEN_H.$(l)))

# With MINE the tool links what is to run, says whose functions run, and says how to call these again.
ifneq ($(MINE),)
run:
	@words=$$($(TOOL) run MINE=$(MINE) ENGINE=$(ENGINE) $(if $(filter command,$(origin DIR)),DIR=$(DIR))) || exit 1; \
	eval exec $(MAKE) run MINE= "$$words"
node:
	@words=$$($(TOOL) node CH=$(CH) MINE=$(MINE) ARGS="$(ARGS)") || exit 1; \
	eval exec $(MAKE) node CH=$(CH) MINE= "$$words"
else
BIN = $(B)
run: $(FINAL_BINS)
	@$(if $(FINAL_BINS),,echo "make run: there is no final/cairnd.c yet" >&2; exit 1;) \
	$(BIN)/cairn cluster start --nodes=$(NODES) --dir=$(DIR) --port=$(PORT) $(if $(ENGINE),--engine=$(ENGINE)) || exit 1; \
	trap : INT; \
	$(BIN)/cairn sql --port=$(PORT) --nodes=$(NODES); status=$$?; \
	$(if $(KEEP),,$(BIN)/cairn cluster stop --dir=$(DIR);) exit $$status

node_of := $(filter $(CH) $(CH)-%,$(NODES_OF))
NODE_PROGRAM = $(B)/$(node_of)/node
node: $(node_of:%=$(B)/%/node)
	@$(if $(filter 1,$(words $(node_of))),,echo "make node: say which chapter, one of: $(NODES_OF:%=CH=%)" >&2; exit 1;) \
	if [ -x chapters/$(node_of)/run ]; then \
	$(if $(DATA),export DATA="$(DATA)";) NODE="$(NODE_PROGRAM)" exec chapters/$(node_of)/run $(ARGS); \
	else exec $(NODE_PROGRAM) $(ARGS); fi
endif

# CH=04 or CH=lib picks a directory of tests/, SUITE=log or SUITE=test_log a suite. Scripts tests/*/run
# follow the suites, unless one suite was asked for. What they start is built first: the nodes of
# the chapters that are tested and of those below, and everything for directories that are no chapter's;
# for the lessons also the suites, so that a transcript of `make grade` builds nothing.
test_dirs      := $(notdir $(patsubst %/,%,$(wildcard tests/*/)))
picked_dirs    := $(if $(CH),$(filter $(CH) $(CH)-%,$(test_dirs)),$(test_dirs))
picked_suites  := $(filter $(foreach d,$(picked_dirs) $(picked_dirs:%=%/reference),$(patsubst %,$(B)/tests/$(d)/%,$(if $(SUITE),$(SUITE) test_$(SUITE),%))),$(SUITE_BINS))
tested_dirs    := $(if $(SUITE),$(sort $(foreach s,$(picked_suites:$(B)/tests/%=%),$(firstword $(subst /, ,$(s))))),$(picked_dirs))
picked_scripts := $(if $(SUITE),,$(wildcard $(patsubst %,tests/%/run,$(filter-out $(SKIP),$(picked_dirs)))))
tested_programs := $(if $(filter lessons,$(tested_dirs)),$(SUITE_BINS)) $(sort $(foreach d,$(tested_dirs),$(filter $(UPTO.$(d):%=$(B)/%/node),$(NODE_BINS)))) $(if $(filter-out $(CHAPTERS) lib harness build lint exercises,$(tested_dirs)),programs)

test: $(picked_suites) $(tested_programs)
	@CC="$(CC)" python3 tests/harness/run_suites.py --build=$(B) $(picked_suites) $(if $(picked_scripts),--scripts $(picked_scripts))

# What is worth hours: the campaigns that files tests/*/soak name, with CH= those of one directory.
soak: $(SUITE_BINS) programs
	@CC="$(CC)" CAIRN_TEST_LIMIT=$${CAIRN_TEST_LIMIT:-14400000} CAIRN_SUITE_LIMIT=28800 CAIRN_SCRIPT_LIMIT=28800 \
	python3 tests/harness/run_suites.py --build=$(B) --soak $(wildcard $(patsubst %,tests/%/soak,$(picked_dirs)))

# The suites; of the scripts those that start nodes, which are instrumented too.
asan tsan:
	@$(MAKE) test VARIANT=$@ SKIP="$(SKIP) build exercises lessons"

# Suites only: slow by a factor of about thirty.
VALGRIND := valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite
valgrind:
	@CAIRN_UNDER="$(VALGRIND)" CAIRN_TEST_LIMIT=600000 CAIRN_SUITE_LIMIT=3600 $(MAKE) test SKIP="$(test_dirs)"

coverage:
	@find build/cov -name '*.gcda' -exec rm -f {} + 2>/dev/null; \
	CAIRN_TEST_LIMIT=60000 $(MAKE) test VARIANT=cov SKIP="$(SKIP) build exercises lessons"; status=$$?; \
	python3 tests/lint/coverage.py build/cov && exit $$status

bench: $(FINAL_BINS) $(BENCH_BINS)
	@if [ -x final/bench/run ]; then BUILD=$(B) exec final/bench/run $(ARGS); else echo "make bench: there is no final/bench/run" >&2; exit 1; fi

bench-engines: $(B)/bench/engine_bench
	@python3 -B final/bench/engines.py --bench=$(B)/bench/engine_bench $(ARGS)

# Two are drawn from a store that chapter 02's node makes.
diagrams: $(filter $(B)/02-%,$(NODE_BINS))
	@CC="$(CC)" sh tests/lint/deps.sh install diagrams/deps
	@CC="$(CC)" BUILD=$(B) python3 -B diagrams/render.py $(ONLY)

# PORT= as for `make run`, but another one unless it is given; SERVE=0 only builds.
site:
	@CC="$(CC)" sh tests/lint/deps.sh install exercises/tool/deps
	@python3 -B exercises/tool/book.py --port=$(if $(filter file,$(origin PORT)),8000,$(PORT)) $(if $(filter 0,$(SERVE)),--no-serve)

$(EXERCISES):
	@$(TOOL) $@ $(foreach word,CH STEP TEST APPLY STACK TRACE LESSON PAGE NAME AFRESH,$(if $($(word)),$(word)="$($(word))"))

lint: $(foreach l,$(LAYERS),$(GEN_H.$(l))) $(B)/compile_commands.json
	@CC="$(CC)" sh tests/lint/deps.sh install tests/lint/deps
	@CC="$(CC)" CPPFLAGS="$(call upto,PKG_CFLAGS,$(TOP)) $(PKG_CFLAGS.tests)" python3 tests/lint/lint.py

# FILES="a.c b.h": only those.
FILES ?= $(wildcard lib/*.[ch] chapters/*/*.[ch] final/*.[ch] final/*/*.[ch] tests/*/*.[ch] tests/*/reference/*.[ch])
format:
	@python3 tests/lint/wrap.py $(FILES)
	@clang-format -i $(FILES)

deps:
	@CC="$(CC)" sh tests/lint/deps.sh install $(DEPS_FILES)

doctor:
	@CC="$(CC)" sh tests/lint/deps.sh doctor $(DEPS_FILES) $(wildcard tests/lint/deps tests/cluster/deps diagrams/deps exercises/tool/deps)

clean:
	rm -rf build

help:
	@printf '  %-24s %s\n' \
	'make' 'build everything that is here: programs, chapter nodes, suites' \
	'make run' 'three nodes on this machine and a SQL prompt (NODES= PORT= DIR= ENGINE= KEEP=1)' \
	'make run MINE=1' 'the same with your functions of every exercise that passed (1/3: in one node of three)' \
	'make test' 'every suite and script; the last line says how many passed and failed' \
	'make test CH=04' 'the suites of one chapter (or lib, sim, sql, cluster)' \
	'make test SUITE=log' 'one suite, tests/*/test_log.c' \
	'make soak' 'long campaigns: every mutant afresh, many seeds, every cut (CH=sim: of one directory)' \
	'make node CH=04' 'start that chapter'"'"'s node (ARGS=... are passed on; MINE=1: with your functions)' \
	'make asan' 'every suite under AddressSanitizer and UBSan (tsan: ThreadSanitizer)' \
	'make valgrind CH=02' 'the suites of a chapter under valgrind' \
	'make coverage' 'every suite, then the lines that were run, per directory' \
	'make start CH=01' 'lay the exercise of a chapter: exercises/01-wal/src/ is yours' \
	'make grade CH=01' 'the chapter'"'"'s tests on your files, a line a step (STEP=2, TEST=name: only those)' \
	'make grade CH=02 STACK=1' 'the same on your own lower chapters' \
	'make hint CH=01 STEP=2' 'the next hint' \
	'make solution CH=01 STEP=2' 'that step'"'"'s functions (APPLY=1 splices them in and keeps yours)' \
	'make progress' 'all exercises: which steps are done, what is next' \
	'make debug CH=01 TEST=name' 'one test on your files under gdb (TRACE=1: prints calls, answers and state)' \
	'make update CH=01' 'merge a newer exercise into your files' \
	'make reset CH=01' 'begin an exercise anew (asks, and keeps what is there)' \
	'make mutants' 'do the tests catch the bugs of exercises/*/mutants? (CH=01; AFRESH=1: all again)' \
	'make new-chapter' 'a chapter to begin from (CH=15 NAME=tally), see exercises/AUTHORING.md' \
	'make lessons CH=01' 'fill in the excerpts, transcripts and tables of its pages (LESSON=2: of one; PAGE=README.md)' \
	'make bench' 'the benchmarks of final/bench' \
	'make bench-engines' 'the four engines side by side: a table and a chart, two minutes (ARGS=--publish)' \
	'make diagrams' 'draw diagrams/*.svg anew: from *.dot, the source, a store (ONLY=name)' \
	'make site' 'the course as a book, on http://127.0.0.1:8000 (PORT=, SERVE=0: only build)' \
	'make lint' 'format, clang-tidy, layers, names, banned calls, headers (LINT_TIDY=0: no clang-tidy)' \
	'make format' 'clang-format every source (or FILES="...") and wrap wide comments' \
	'make deps' 'install the libraries and tools that are missing' \
	'make doctor' 'what is installed, compilers, cores, how fast the disk syncs' \
	'make clean' 'remove build/' \
	'make help' 'this list' '' '' \
	'V=1' 'show the commands; CC=clang, WERROR=0, VARIANT=asan|tsan|cov as expected'
