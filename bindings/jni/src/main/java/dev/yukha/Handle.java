package dev.yukha;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The native tracker, and how many are using it: the Java tracker until it is closed or dropped, and each call while it
 * runs. The last one gives it back, so it is never freed under a call. It knows nothing of the Java tracker, which could
 * otherwise never become unreachable.
 */
final class Handle implements Runnable {
    private static final Set<Handle> OPEN = ConcurrentHashMap.newKeySet();

    static {
        // A JVM that ends does not wait for native threads. One that still signs a request while OpenSSL tidies up for
        // exit() would crash, so whatever is open is closed before.
        Thread closing = new Thread("yukha-exit") {
            @Override
            public void run() {
                for (Handle handle : OPEN) handle.closeAtExit();
            }
        };
        try {
            Runtime.getRuntime().addShutdownHook(closing);
        } catch (IllegalStateException e) {
            // The JVM is ending already, and this tracker lives no longer than it.
        }
    }

    private final long tracker;
    private final AtomicInteger users = new AtomicInteger(1);
    private final AtomicBoolean dropped = new AtomicBoolean();

    Handle(long tracker) {
        this.tracker = tracker;
        OPEN.add(this);
    }

    /** To be used only between enter() and leave(). */
    long tracker() {
        return tracker;
    }

    /** False when it was given back. */
    boolean enter() {
        while (true) {
            int count = users.get();
            if (count == 0) return false;
            if (users.compareAndSet(count, count + 1)) return true;
        }
    }

    void leave() {
        if (users.decrementAndGet() == 0) Native.free(tracker);
    }

    /** Ends the Java tracker's use. The second time it does nothing. */
    @Override
    public void run() {
        if (!dropped.compareAndSet(false, true)) return;
        OPEN.remove(this);
        // A tracker that nobody closed does not keep the cleaner waiting for its network: what waits is safe on disk.
        Native.close(tracker, 0);
        leave();
    }

    /** Others may still call it, so it is closed and not given back. */
    private void closeAtExit() {
        if (!enter()) return;
        Native.close(tracker, 0);
        leave();
    }
}
