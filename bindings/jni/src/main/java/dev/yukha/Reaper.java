package dev.yukha;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Gives back what belongs to trackers that were dropped without close(). */
abstract class Reaper {
    static final Reaper BEST = best();

    /** Once {@code tracker} is unreachable, {@code handle} runs. The answer runs it at once and forgets both. */
    abstract Runnable watch(Object tracker, Handle handle);

    private static Reaper best() {
        try {
            return new ByCleaner();
        } catch (ReflectiveOperationException e) {
            return new ByQueue();  // Java 8, and Android before 13
        }
    }

    /** java.lang.ref.Cleaner, found at run time because Java 8 does not have it. It has a thread of its own. */
    static final class ByCleaner extends Reaper {
        private final Object cleaner;
        private final Method register;
        private final Method clean;

        ByCleaner() throws ReflectiveOperationException {
            Class<?> type = Class.forName("java.lang.ref.Cleaner");
            register = type.getMethod("register", Object.class, Runnable.class);
            clean = Class.forName("java.lang.ref.Cleaner$Cleanable").getMethod("clean");
            cleaner = type.getMethod("create").invoke(null);
        }

        @Override
        Runnable watch(Object tracker, final Handle handle) {
            final Object ticket;
            try {
                ticket = register.invoke(cleaner, tracker, handle);
            } catch (IllegalAccessException | InvocationTargetException e) {
                return handle;  // then only close() gives it back
            }
            return new Runnable() {
                @Override
                public void run() {
                    try {
                        clean.invoke(ticket);
                    } catch (IllegalAccessException | InvocationTargetException e) {
                        handle.run();
                    }
                }
            };
        }
    }

    /** Without a thread: whoever opens or closes a tracker looks for those that were dropped. */
    static final class ByQueue extends Reaper {
        private final ReferenceQueue<Object> queue = new ReferenceQueue<>();
        private final Set<Ticket> tickets = ConcurrentHashMap.newKeySet();

        @Override
        Runnable watch(Object tracker, Handle handle) {
            reap();
            Ticket ticket = new Ticket(tracker, handle);
            tickets.add(ticket);
            return ticket;
        }

        private void reap() {
            for (Object found = queue.poll(); found != null; found = queue.poll()) ((Ticket) found).end();
        }

        private final class Ticket extends PhantomReference<Object> implements Runnable {
            private final Handle handle;

            Ticket(Object tracker, Handle handle) {
                super(tracker, queue);
                this.handle = handle;
            }

            void end() {
                tickets.remove(this);
                clear();
                handle.run();
            }

            @Override
            public void run() {
                end();
                reap();
            }
        }
    }
}
