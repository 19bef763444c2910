/* engine.h: warroomd's own parts and what each may touch.
 *
 * One main loop owns the wr_state, the wr_world, the drafts and the challenges; nobody else reads
 * them. Other threads (prober, runner, ledger writer, auditor, traffic watch, API) hand it messages
 * through bounded queues: `inbox` for what must not be lost, `samples` and `outputs` for what may
 * be dropped under a flood, apart so that neither drowns the other. The API thread sees only
 * published snapshots and its own requests. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "warroom/act.h"
#include "warroom/decide.h"
#include "warroom/ledger.h"
#include "warroom/queue.h"
#include "warroom/sshsig.h"

/* Who is at the other end of a connection, as the kernel tells it. */
typedef struct peer {
	int64_t pid, uid;
	int64_t session; /* of the process; 0 unknown */
	int64_t tty;     /* device number of its controlling terminal; 0 none */
} peer;
void peer_of_fd(int fd, peer *out);
/* True also when either is unknown: failing to see two terminals is not seeing two. */
bool peer_same_terminal(const peer *a, const peer *b);
/* A peer as approval_recorded keeps it, "BOOT/UID/SESSION/TTY"; "" if unknown. peer_read is false
 * for what this boot of the machine did not write. */
#define PEER_TEXT 96
void peer_write(const peer *p, char out[static PEER_TEXT]);
bool peer_read(const char *text, peer *out);

typedef enum msg_kind {
	MSG_SAMPLE,
	MSG_REPORT,
	MSG_OUTPUT,
	MSG_APPENDED,
	MSG_REQUEST,
	MSG_AUDIT,
	MSG_FOREIGN
} msg_kind;

typedef struct request request;

typedef struct appended {
	wr_append_status status;
	wr_err err;
	size_t count;
	int64_t first_seq;
	char **lines;
	size_t *lens;
} appended;

typedef struct audit {
	bool ok;
	int64_t checked, at_us;
	int64_t attested; /* last seq that a checkpoint vouches for, -1 none */
	char text[256];
} audit;

typedef struct msg {
	msg_kind kind;
	struct msg *next;        /* in one of the main loop's lists */
	wr_command_kind command; /* MSG_REPORT: START or PROBE */
	union {
		wr_sample sample;
		wr_step_report report;
		struct {
			char operation_id[WR_ID_LEN];
			size_t index;
			char text[1024];
		} output;
		appended appended;
		request *request;
		audit audit;
		struct foreign_result *foreign; /* owned */
	};
} msg;
void msg_free(void *m);

typedef struct msg_list {
	msg *first, *last;
} msg_list;

/* One API request on its way through the main loop. The API thread made it and frees it; between
 * the push to the inbox and request_answer() it belongs to the main loop. */
struct request {
	char method[8], path[256];
	char *query_action, *query_from, *query_to, *query_runbook; /* decoded, bounded; may be NULL */
	int64_t query_since, query_limit, query_wait_ms;
	const char *bad_query; /* name of a number that is none, or NULL */
	size_t received;       /* bytes of the body, kept or not */
	wr_buf body;
	peer from;
	/* the answer */
	int status;
	char *answer;
	size_t answer_len;
	void *connection; /* MHD's */
	/* long poll */
	int64_t deadline_ms;
	struct request *next_waiting;
};

typedef struct draft {
	char id[WR_ID_LEN]; /* "" free */
	json_t *plan;
	char plan_hash[WR_HEX_LEN], words[WR_WORDS_LEN], reason[256];
	int64_t made_us, uid; /* uid: who asked for it */
} draft;
#define DRAFTS     64
#define DRAFTS_UID 16 /* of one user: who asks again and again pushes out their own only */

typedef struct challenge {
	wr_signed sign; /* its text pointers are not used */
	char *text;     /* NULL: free */
	int64_t uid;    /* who asked for it */
	uint64_t order; /* greater is newer */
} challenge;
#define CHALLENGES     512
#define CHALLENGES_ONE 16 /* of one user for one person and operation */

/* Where each approver of an operation signed from, for the observed assurance; folded from
 * approval_recorded. */
typedef struct seat {
	char operation_id[WR_ID_LEN], principal[64];
	peer from;
} seat;
#define SEATS 256

typedef struct tail_line {
	int64_t seq;
	char timestamp[WR_TIME_LEN], operation[64], actor[80], hash[WR_HEX_LEN], text[224];
} tail_line;
#define TAIL 50

typedef struct live_output {
	char operation_id[WR_ID_LEN]; /* "" free */
	size_t index;
	char text[2048];
} live_output;
#define LIVES 8 /* operations that print at once; one for each service group */

typedef struct api api;
struct archive; /* archive.h: the daily exports and the time stamps */

typedef struct engine {
	wr_config *cfg;
	wr_steady steady; /* no time is told that is before what is on record */
	const wr_clock *clock;
	wr_ledger *ledger;
	wr_state *state;
	wr_world *world;
	wr_prober *prober;
	wr_runner *runner; /* NULL while stopping: nothing is started any more */
	wr_queue *inbox, *samples, *outputs;
	api *api;
	pthread_t auditor, traffic_watch;
	bool auditor_up, traffic_up;
	pthread_mutex_t nap_lock;
	pthread_cond_t nap; /* nap_lock: rung when `stopping` is set */
	atomic_bool stopping;
	struct archive *archive;
	int64_t epoch, started_us;
	bool said_started; /* engine_started is in the ledger */

	/* one unit of receipts is on its way to the disk at a time */
	bool in_flight;
	wr_effects flight;     /* whose receipts are being written; commands run after */
	msg *flight_msg;       /* the message that caused it, or NULL for a tick */
	json_t *flight_plan;   /* of a proposal */
	wr_signed flight_sign; /* what was signed, for the answer; its text pointers are not kept */
	bool flight_refused;   /* the request was refused, and the unit records what came of it */
	wr_err flight_refusal;
	char flight_why[160];           /* why the observed assurance is lower than the signed one */
	msg_list reports, signs, reads; /* what waits, oldest first */
	bool tick_due, tick_last;       /* tick_last: a tick was the last decision */
	bool start_due;                 /* WR_EV_STARTED is not decided and durable yet */
	int64_t next_tick_ms;           /* monotonic */
	int64_t append_retry_ms; /* monotonic; after a failed append nothing is tried before this */
	char banner[256];

	draft drafts[DRAFTS];
	int64_t last_draft; /* the highest number a draft has had */
	challenge challenges[CHALLENGES];
	uint64_t challenge_order;
	seat seats[SEATS];
	size_t seat_next;
	/* steps_hash of an operation under this configuration; the one asked for last comes first */
	struct {
		char id[WR_ID_LEN], hash[WR_HEX_LEN];
	} drift[LIVES];

	tail_line tail[TAIL];
	int64_t tail_count;
	int64_t seen_seq;         /* the last receipt that came past; -1: none */
	char incident_region[64]; /* of the newest incident */
	live_output live[LIVES];
	size_t live_next;
	audit last_audit;
	bool audited;
	atomic_int audit_percent; /* the auditor sets it; -1: it is at rest */
	struct foreign *foreign;  /* NULL until it is set up */
	/* the prober's counts a while ago, for the banner */
	uint64_t late_done, late_late, late_dropped;
	int64_t late_ms;
	char late_text[128];

	uint64_t rev;
	bool dirty; /* something that people wait for changed */
	bool fresh; /* a sample came */
	int64_t published_ms;
} engine;

/* boot.c */
WR_CHECKED int engine_boot(engine *e, const char *config_path, wr_err *err);
/* stop.c; also of an engine whose boot failed. */
void engine_shutdown(engine *e, const char *reason);
/* loop.c */
int engine_run(engine *e); /* until SIGTERM or SIGINT; 0, or 1 after a fatal error */
/* Takes what the other threads sent; decides what can be decided now. */
void engine_drain(engine *e);
void engine_decide_waiting(engine *e);
void engine_decide_report(engine *e, msg *m); /* takes m */
void list_add(msg_list *l, msg *m);
void list_add_first(msg_list *l, msg *m);
msg *list_take(msg_list *l); /* the oldest, or NULL */
/* Publishes the state when it is due, or now. */
void engine_publish(engine *e, bool now_please);
/* effects.c */
void engine_decide(engine *e, const wr_event *ev, msg *cause); /* takes cause */
void engine_appended(engine *e, const appended *a);
void engine_fold(engine *e, const wr_receipt *r, bool show); /* show: in the tail, too */
/* The ledger writes receipts of its own between ours (checkpoints): those after seen_seq are
 * folded, up to receipt `before`. */
void engine_catch_up(engine *e, int64_t before);
void engine_load_plan(engine *e, const wr_receipt *r);
/* The steps_hash that op's plan would have now; "" if it cannot be made. */
void engine_steps_hash(engine *e, const wr_op *op, char out[static WR_HEX_LEN]);
/* request.c */
void engine_request(engine *e, msg *m); /* takes m; answers now or after a decision */
/* Answer with a JSON value (stolen), or with an error. */
void request_json(engine *e, request *r, int status, json_t *body);
void request_error(engine *e, request *r, int status, const char *code, const char *rule,
                   const char *fmt, ...) WR_PRINTF(6, 7);
void request_accepted(engine *e, request *r, const wr_signed *s);
/* A refusal of wr_decide: its rule id stands in front of its sentence. */
void request_refused(engine *e, request *r, const wr_err *refusal);
/* challenge.c */
void engine_challenge(engine *e, request *r, const json_t *body);
draft *engine_draft(engine *e, const char *id);
void draft_clear(draft *d);
/* sign.c */
void engine_sign(engine *e, msg *m, const json_t *body);
/* seat.c */
/* What the engine can vouch for when s is signed from `from`: never better than what was signed.
 * `why` says what lowered it, "" if nothing did. */
wr_assurance engine_observe(const engine *e, const wr_signed *s, const peer *from, char *why,
                            size_t size);
void engine_fold_seat(engine *e, const wr_receipt *r);
/* signers.c */
/* The ledger keeps the signers as they were accepted, so that it can be verified by itself: `text`
 * and, after it, every earlier entry that is not in it any more, valid until it was seen to be
 * gone.
 */
WR_CHECKED int engine_keep_signers(engine *e, const char *text, size_t len, wr_err *err);
WR_CHECKED int signers_merge(wr_buf *out, const char *text, size_t len, const char *old,
                             size_t old_len, int64_t now_us, wr_err *err);
/* archive.c; _start once everything else is up, _stop when `stopping` is set */
WR_CHECKED int engine_archive_new(engine *e, wr_err *err);
WR_CHECKED int engine_archive_start(engine *e, wr_err *err);
void engine_archive_stop(engine *e);
void engine_archive_free(engine *e);
void engine_fold_archive(engine *e, const wr_receipt *r);
void engine_archive_request(engine *e, request *r, const json_t *body);
json_t *view_export(const engine *e); /* null: not configured */
json_t *view_anchor(const engine *e);
/* view*.c */
json_t *view_state(engine *e);
json_t *view_operation(engine *e, const wr_op *op, bool brief); /* brief: without output */
json_t *view_actions(engine *e, json_t **loss_of_first);
json_t *view_action(engine *e, const wr_runbook *rb, size_t from, size_t to);
json_t *view_loss(const wr_loss *loss, const char *from, const char *to);
const wr_service *engine_tightest(const engine *e); /* the service with the smallest RTO, or NULL */
/* The candidate actions now: failover from the primary to each standby, and the failback. */
typedef struct candidate {
	wr_runbook_kind kind;
	size_t from, to;
	const wr_runbook *runbook;
} candidate;
size_t engine_candidates(const engine *e, candidate *out, size_t max);
/* foreign.c: the platform's own receipts */
WR_CHECKED int engine_foreign_new(engine *e, wr_err *err);
WR_CHECKED int engine_foreign_start(engine *e, wr_err *err); /* after the ledger was read back */
void engine_foreign_stop(engine *e);
void engine_foreign_free(engine *e); /* after the ledger was closed */
void engine_foreign_fold(engine *e, const wr_receipt *r);
void engine_foreign_take(engine *e, msg *m);                        /* m stays the caller's */
void engine_foreign_ask(engine *e, request *r, const json_t *body); /* answers */
json_t *view_foreign(engine *e);
/* sentence.c */
void receipt_sentence(const wr_receipt *r, char *out, size_t size);
/* threads.c */
WR_CHECKED int engine_threads_start(engine *e, wr_err *err);
void engine_threads_stop(engine *e);
/* api.c */
WR_CHECKED api *api_start(const char *socket_path, const char *group, wr_queue *inbox, wr_err *err);
/* From here every request is refused, and nothing more comes to the inbox. */
void api_quiesce(api *a);
/* Every request that came to the inbox must have been answered. NULL is fine. */
void api_stop(api *a);
void api_publish(api *a, uint64_t rev, const char *json, size_t len);
void api_answer(api *a, request *r); /* resumes the connection */

#endif
