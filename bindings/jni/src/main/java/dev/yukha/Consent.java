package dev.yukha;

/** Belongs to the queue directory and outlives the process. In the order of yukha.h. */
public enum Consent {
    /** Keep and send. */
    GRANTED,
    /** Keep, send nothing. */
    PENDING,
    /** Keep nothing; what waits is erased. */
    DENIED;

    private static final Consent[] ALL = values();

    static Consent of(int number) {
        return number >= 0 && number < ALL.length ? ALL[number] : PENDING;
    }
}
