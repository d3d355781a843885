package dev.yukha;

/**
 * The ledger: what became of every sentence. Counted per lane, over restarts, exact even when the process was killed:
 *
 * <p>{@code accepted = delivered + waiting + quarantined + evicted + erased + lost}
 */
public final class Stats {
    /** How many numbers {@link Native#stats} writes. */
    static final int NUMBERS = 15;

    /** Verdicts in a row that were no delivery. */
    public final long failures;
    /** track() kept them. */
    public final long accepted;
    /** The endpoint has them. */
    public final long delivered;
    /** On the device, to be sent. */
    public final long waiting;
    /** Refused by the endpoint one by one, kept aside with the reason. */
    public final long quarantined;
    /** Given up because of the limits on size and age. */
    public final long evicted;
    /** Removed by erase() or denied consent. */
    public final long erased;
    /** Accepted, and not found again after a power loss or in a damaged file. */
    public final long lost;
    /** track() did not keep them, and said why: all of the following together. Not part of {@code accepted}. */
    public final long refused;
    public final long refusedRingFull;
    public final long refusedConsent;
    public final long refusedInvalid;
    public final long refusedClosed;
    /** Since open(). */
    public final long requests;
    /** How long the endpoint is left in peace from now; 0: not at all. */
    public final long nextAttemptMs;

    Stats(long[] numbers) {
        failures = numbers[0];
        accepted = numbers[1];
        delivered = numbers[2];
        waiting = numbers[3];
        quarantined = numbers[4];
        evicted = numbers[5];
        erased = numbers[6];
        lost = numbers[7];
        refused = numbers[8];
        refusedRingFull = numbers[9];
        refusedConsent = numbers[10];
        refusedInvalid = numbers[11];
        refusedClosed = numbers[12];
        requests = numbers[13];
        nextAttemptMs = numbers[14];
    }

    @Override
    public String toString() {
        return "accepted " + accepted + " = delivered " + delivered + " + waiting " + waiting + " + quarantined "
                + quarantined + " + evicted " + evicted + " + erased " + erased + " + lost " + lost + "; refused "
                + refused;
    }
}
