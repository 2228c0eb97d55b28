/* Two-phase commit (Gray, Lamport, "Consensus on Transaction Commit", TODS 31(1), 2006, section 3),
 * with the states and the steps of stateright's example `2pc` and of the engine's example
 * `two_phase_commit`. `spin -DN=8 -a` makes a verifier for 8 resource managers. One process takes
 * every step as one transition, so that stored and matched states are unique and generated ones.
 *
 * Resource managers are bits: each is working unless it is in one of the first three masks. */

#define ALL ((1 << N) - 1)
#define OPEN 0
#define COMMIT 1
#define ABORT 2

int prepared, committed, aborted;
int told;          /* has sent "prepared" to the transaction manager */
int heard;         /* the transaction manager has received it */
byte decided;      /* the transaction manager's decision, which it has sent to all */

#define IS_WORKING(it) !((prepared | committed | aborted) & (1 << it))
#define ENDS(it, in, other) \
    in = in | (1 << it); other = other & ~(1 << it); prepared = prepared & ~(1 << it); \
    assert(!committed || !aborted)

#define RESOURCE(it) \
    :: d_step { decided == OPEN && (told & (1 << it)) -> heard = heard | (1 << it) } \
    :: d_step { IS_WORKING(it) -> prepared = prepared | (1 << it); told = told | (1 << it) } \
    :: d_step { IS_WORKING(it) -> ENDS(it, aborted, committed) } \
    :: d_step { decided == COMMIT -> ENDS(it, committed, aborted) } \
    :: d_step { decided == ABORT -> ENDS(it, aborted, committed) }

active proctype system() {
    do
    :: d_step { decided == OPEN && heard == ALL -> decided = COMMIT }
    :: d_step { decided == OPEN -> decided = ABORT }
    RESOURCE(0)
#if N > 1
    RESOURCE(1)
#endif
#if N > 2
    RESOURCE(2)
#endif
#if N > 3
    RESOURCE(3)
#endif
#if N > 4
    RESOURCE(4)
#endif
#if N > 5
    RESOURCE(5)
#endif
#if N > 6
    RESOURCE(6)
#endif
#if N > 7
    RESOURCE(7)
#endif
#if N > 8
    RESOURCE(8)
#endif
#if N > 9
    RESOURCE(9)
#endif
    od
}
