/*
 * Views: how a task comes to see a version, and how a version knows that no
 * task sees it any more.
 *
 *   F  Who adopts a version sees its whole table and the units behind it:
 *      release store of `current` in commit.c -> acquire load in adopt.
 *
 * C1, atomic: `current` is the only word that publishes, so that a view has
 * all of a transaction or nothing of it.
 * C2, stable: a view changes in brolga__view_adopt() only, and only the task
 * itself calls that, at its safepoints. `current` only moves forward.
 * C3, causal: a receiver is told by the round that there is something to adopt,
 * so a round must have begun before anybody can send from the new version. The
 * commit begins it, but only after it has published; whoever adopts in between
 * begins one more (edge AC). The receiver, which comes after the sender, then
 * sees a new round, adopts, and by read coherence cannot get an older version
 * than the sender had.
 *
 * Why a table may be freed. A safepoint reads the round r, then adopts, and
 * then announces r (order matters: model/reload.pml, ANNOUNCE_BEFORE_ADOPT).
 * The commit stores `current` and then begins round n. A member that has
 * announced r >= n read r after that store (edge A of epoch/round.c), so it
 * adopted the new version or a later one. Hence, when round n has passed, no
 * running task is in the old version, but for tasks that chose to stay in it
 * and took a hold before they announced. A parked or queued task names no
 * version: it adopts before it runs again.
 */
#include "got/got.h"

/* Written by the tasks layer at each switch; read through arch.h. */
BROLGA_API extern _Thread_local struct brolga_view *brolga_view_tls;
_Thread_local struct brolga_view *brolga_view_tls
    __attribute__((tls_model("initial-exec")));

/* What arch.h calls where it has no instructions for it. */
__attribute__((noinline)) void
brolga__view_set_self_call(struct brolga_view *view)
{
    brolga_view_tls = view;
}

bool brolga__view_adopt(struct brolga_got *got, struct brolga_view *view,
                        struct brolga__version **version)
{
    struct brolga__version *current =
        brolga__load_acquire(&got->current); /* F: store in commit.c */

    /* Before we send anything that we computed in it: see C3 above. */
    if (!brolga__load_acquire(&current->announced)) /* AC: publish */
        (void)brolga__epoch_begin_round(got->epoch);
    if (current == *version)
        return false;
    *version = current;
    view->slots = current->slots;
    brolga__cpu_refetch(); /* Its code may be new to this processor. */
    return true;
}

void brolga__version_hold(struct brolga__version *version)
{
    /* Visible to the reclaimer through edge B of the announce that follows. */
    (void)brolga__add_relaxed(&version->holds, 1);
}

void brolga__version_unhold(struct brolga__version *version)
{
    (void)brolga__sub_release(&version->holds, 1); /* I: load in version.c */
}
