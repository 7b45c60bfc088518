/*
 * Hooks: what a host does around a commit, called with no lock held, in tasks
 * of their own, for which the layer above has a function
 * (brolga__stacks.run). Without it they are called as they are.
 *
 *   check, before, [all stand,] check, migrate, publish, after
 *
 * A call that has not ended in time is left behind: it is canceled, and the
 * commit goes on without it. So what it uses is counted: the *call*, with room
 * for its answer, by the committer and the task; the hook by its calls.
 *
 * `migrate` is in the version that is to come. Its table is made, and seen by
 * that task alone: it does not move its view until it ends. The staged units
 * are shown to who looks for code by address before that (a trap in them is one
 * in a unit), and hence, if the transaction is refused after all, go as old
 * code does: such a task may have left anything behind.
 *
 * Other layers may have more to do (struct brolga__behind), around `migrate`
 * and behind the gate. That is called by the committer itself, and cannot be
 * left behind; it lasts as long as their hook.
 *
 *   L  What a call has written is seen by who waited for it: joins. The last
 *      one to let go of a record sees what the others did: sub_acq_rel of refs,
 *      with itself.
 */
#include "got/txn.h"

#include "alloc.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_NS BROLGA_S

enum phase { PHASE_BEFORE, PHASE_MIGRATE, PHASE_AFTER, PHASE_CALLED_OFF };
#define PHASES 4

static const char *const phase_names[PHASES] = {"before", "migrate", "after",
                                                "called_off"};

struct call {
    struct hook *hook;
    enum phase phase;
    struct brolga__version *preview; /* Or NULL. */
    int err;
    char why[256];
    _Atomic uint32_t refs;
};

struct hook {
    struct brolga__list link; /* txn->hooks */
    struct brolga_hooks of;
    const struct brolga__behind *behind; /* Or NULL. */
    bool agreed;
    struct call *calls[PHASES]; /* Made before, so that none wants memory. */
    _Atomic uint32_t refs;      /* The transaction's, and one a call. */
    char name[48];
};

static struct hook *hook_of(struct brolga__list *node)
{
    return brolga__container_of(node, struct hook, link);
}

/* --- records ------------------------------------------------------------ */

static void hook_unref(struct hook *hook)
{
    if (brolga__sub_acq_rel(&hook->refs, 1) != 1) /* L */
        return;
    if (hook->of.release != NULL)
        hook->of.release(hook->of.arg);
    brolga__free(hook);
}

static void call_unref(struct call *call)
{
    if (brolga__sub_acq_rel(&call->refs, 1) != 1) /* L */
        return;
    brolga__free(call->preview);
    hook_unref(call->hook);
    brolga__free(call);
}

static bool wants(const struct hook *hook, enum phase phase)
{
    switch (phase) {
    case PHASE_BEFORE:
        return hook->of.before != NULL;
    case PHASE_MIGRATE:
        return hook->of.migrate != NULL;
    case PHASE_AFTER:
        return hook->of.after != NULL;
    case PHASE_CALLED_OFF:
    default:
        return hook->of.called_off != NULL;
    }
}

static int make_call(struct hook *hook, enum phase phase)
{
    struct call *call;

    if (!wants(hook, phase))
        return BROLGA_OK;
    call = brolga__alloc_zero(sizeof *call);
    if (call == NULL)
        return BROLGA_ENOMEM;
    call->hook = hook;
    call->phase = phase;
    atomic_init(&call->refs, 1);
    (void)brolga__add_relaxed(&hook->refs, 1); /* The caller has one. */
    hook->calls[phase] = call;
    return BROLGA_OK;
}

/* Gives up what has not been called. */
static void drop_calls(struct hook *hook)
{
    for (int i = 0; i < PHASES; i++) {
        if (hook->calls[i] != NULL)
            call_unref(hook->calls[i]);
        hook->calls[i] = NULL;
    }
}

int brolga_txn_hook(brolga_txn *txn, const struct brolga_hooks *hooks)
{
    return brolga__txn_hook_behind(txn, hooks, NULL);
}

int brolga__txn_hook_behind(struct brolga_txn *txn,
                            const struct brolga_hooks *hooks,
                            const struct brolga__behind *behind)
{
    struct hook *hook = brolga__alloc_zero(sizeof *hook);
    int err = BROLGA_OK;

    if (hook == NULL)
        return BROLGA_ENOMEM;
    hook->of = *hooks;
    hook->behind = behind;
    atomic_init(&hook->refs, 1);
    (void)snprintf(hook->name, sizeof hook->name, "%s",
                   hooks->name != NULL ? hooks->name : "host");
    hook->of.name = hook->name;
    for (int i = 0; err == BROLGA_OK && i < PHASES; i++)
        err = make_call(hook, (enum phase)i);
    if (err != BROLGA_OK) {
        hook->of.release = NULL; /* It stays the caller's. */
        drop_calls(hook);
        hook_unref(hook);
        return err;
    }
    brolga__list_push_back(&txn->hooks, &hook->link);
    return BROLGA_OK;
}

void brolga__hooks_take(struct brolga_txn *txn, struct brolga__list *hooks)
{
    struct brolga__list *node;

    brolga__list_init(hooks);
    while ((node = brolga__list_pop_front(&txn->hooks)) != NULL)
        brolga__list_push_back(hooks, node);
}

void brolga__hooks_free(struct brolga__list *hooks)
{
    struct brolga__list *node;

    while ((node = brolga__list_pop_front(hooks)) != NULL) {
        drop_calls(hook_of(node));
        hook_unref(hook_of(node));
    }
}

/* --- one call ----------------------------------------------------------- */

/* The view of this task alone: it stays as it is until the task ends. */
static void enter_preview(const struct brolga__version *preview)
{
    struct brolga_view *view = brolga_view_self();

    if (preview != NULL && view != NULL)
        view->slots = preview->slots;
}

static brolga_word do_call(void *arg)
{
    struct call *call = arg;
    const struct brolga_hooks *of = &call->hook->of;

    enter_preview(call->preview);
    switch (call->phase) {
    case PHASE_BEFORE:
        call->err = of->before(of->arg, call->why, sizeof call->why);
        break;
    case PHASE_MIGRATE:
        call->err = of->migrate(of->arg, call->why, sizeof call->why);
        break;
    case PHASE_AFTER:
        of->after(of->arg);
        break;
    case PHASE_CALLED_OFF:
        of->called_off(of->arg);
        break;
    }
    return 0;
}

static void end_call(void *arg)
{
    call_unref(arg);
}

static int run(struct brolga_got *got, struct call *call, bool past_gate,
               char *message, size_t bytes)
{
    struct brolga__errand errand = {
        .name = call->hook->name,
        .fn = do_call,
        .at_end = end_call,
        .arg = call,
        .timeout_ns = call->hook->of.timeout_ns != 0 ? call->hook->of.timeout_ns
                                                     : TIMEOUT_NS,
        .past_gate = past_gate,
        .still = call->preview != NULL};

    if (got->stacks.run != NULL)
        return got->stacks.run(got->stacks.arg, &errand, message, bytes);
    (void)do_call(call);
    end_call(call);
    return BROLGA_OK;
}

/* Makes a hook's call of a phase, if it has one. BROLGA_OK: it has ended, and
 * `*answer` is what it returned; otherwise the message says what happened. */
static int make(struct brolga_got *got, struct hook *hook, enum phase phase,
                bool past_gate, int *answer, char *message, size_t bytes)
{
    struct call *call = hook->calls[phase];
    int err;

    *answer = BROLGA_OK;
    message[0] = '\0';
    if (call == NULL)
        return BROLGA_OK;
    hook->calls[phase] = NULL;
    (void)brolga__add_relaxed(&call->refs, 1); /* The task's. */
    err = run(got, call, past_gate, message, bytes);
    if (err == BROLGA_OK) {
        *answer = call->err;
        (void)snprintf(message, bytes, "%s",
                       call->why[0] != '\0' ? call->why : "no reason given");
    } else if (err == BROLGA_ETIMEOUT) {
        (void)snprintf(message, bytes, "has not ended in time");
    } else if (err != BROLGA_EFAILED) {
        (void)snprintf(message, bytes, "cannot be called: %s",
                       brolga_strerror(err));
        call_unref(call); /* There is no task. */
    }
    call_unref(call);
    return err;
}

/* --- phases ------------------------------------------------------------- */

static int refuse(struct brolga_report *report, const struct hook *hook,
                  enum phase phase, int err, const char *message)
{
    (void)snprintf(report->hook, sizeof report->hook, "%s", hook->name);
    report->refusal = err != BROLGA_OK || phase != PHASE_BEFORE
                          ? BROLGA_REFUSED_HOOK
                          : BROLGA_REFUSED_VETO;
    if (err == BROLGA_ENOMEM)
        report->refusal = BROLGA_REFUSED_MEMORY;
    if (report->refusal == BROLGA_REFUSED_VETO)
        (void)snprintf(report->text, sizeof report->text, "%s objects: %s",
                       hook->name, message);
    else
        (void)snprintf(report->text, sizeof report->text, "%s of %s: %s",
                       phase_names[phase], hook->name, message);
    return BROLGA_EREFUSED;
}

int brolga__hooks_before(struct brolga_got *got, struct brolga__list *hooks,
                         struct brolga_report *report)
{
    char message[256];

    for (struct brolga__list *node = hooks->prev; node != hooks;
         node = node->prev) {
        struct hook *hook = hook_of(node);
        int answer;
        int err = make(got, hook, PHASE_BEFORE, false, &answer, message,
                       sizeof message);

        if (err != BROLGA_OK || answer != BROLGA_OK)
            return refuse(report, hook, PHASE_BEFORE, err, message);
        hook->agreed = true;
    }
    return BROLGA_OK;
}

static int migrate(struct brolga_txn *txn, struct hook *hook, bool past_gate,
                   struct brolga_report *report)
{
    struct brolga_got *got = txn->got;
    char message[256];
    int answer;
    int err =
        brolga__txn_preview(txn, report, &hook->calls[PHASE_MIGRATE]->preview);

    if (err != BROLGA_OK)
        return err;
    brolga__txn_expose(txn);
    err = make(got, hook, PHASE_MIGRATE, past_gate, &answer, message,
               sizeof message);
    if (err == BROLGA_OK && answer == BROLGA_OK)
        return BROLGA_OK;
    return refuse(report, hook, PHASE_MIGRATE, err, message);
}

int brolga__hooks_migrate(struct brolga_txn *txn, struct brolga__list *hooks,
                          bool past_gate, struct brolga_report *report)
{
    int err = BROLGA_OK;

    for (struct brolga__list *node = hooks->next;
         err == BROLGA_OK && node != hooks; node = node->next)
        if (wants(hook_of(node), PHASE_MIGRATE))
            err = migrate(txn, hook_of(node), past_gate, report);
    return err;
}

bool brolga__hooks_behind(const struct brolga__list *hooks)
{
    for (struct brolga__list *node = hooks->next; node != hooks;
         node = node->next)
        if (hook_of(node)->behind != NULL)
            return true;
    return false;
}

int brolga__hooks_prepare(struct brolga__list *hooks,
                          struct brolga_report *report)
{
    int err = BROLGA_OK;

    for (struct brolga__list *node = hooks->next;
         err == BROLGA_OK && node != hooks; node = node->next) {
        struct hook *hook = hook_of(node);

        if (hook->behind != NULL)
            err = hook->behind->prepare(hook->of.arg, report);
    }
    return err;
}

void brolga__hooks_published(struct brolga__list *hooks)
{
    brolga__list_each (node, hooks) {
        const struct hook *hook = hook_of(node);

        if (hook->behind != NULL)
            hook->behind->published(hook->of.arg);
    }
}

/* What fails now changes nothing any more; the first is told. */
static void finish(struct brolga_got *got, struct hook *hook, enum phase phase,
                   struct brolga_report *report)
{
    char message[200];
    int answer;
    int err = make(got, hook, phase, false, &answer, message, sizeof message);

    if (err != BROLGA_OK && report->after[0] == '\0')
        (void)snprintf(report->after, sizeof report->after, "%s of %s: %s",
                       phase_names[phase], hook->name, message);
}

void brolga__hooks_end(struct brolga_got *got, struct brolga__list *hooks,
                       bool published, struct brolga_report *report)
{
    brolga__list_each (node, hooks) {
        if (published)
            finish(got, hook_of(node), PHASE_AFTER, report);
        else if (hook_of(node)->agreed)
            finish(got, hook_of(node), PHASE_CALLED_OFF, report);
    }
    brolga__hooks_free(hooks);
}
