package dev.yukha;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A JVM that ends while trackers are open and busy. */
@Timeout(300)
class ExitTest {
    private static final int ROUNDS = 10;
    private static final int TRACKERS = 8;

    @TempDir
    Path directory;

    /** The JVM that ends. Its arguments are a queue directory and an endpoint. */
    static final class Leaver {
        public static void main(String[] arguments) throws Exception {
            for (int i = 0; i < TRACKERS; ++i) {
                Tracker tracker = Tracker.open(new Config("shop", arguments[0]).endpoint(arguments[1])
                        .key("app-2026-11", "c2l4dGVlbiBieXRlcyBvciBtb3JlLCBwbGVhc2U="));
                Thread thread = new Thread(() -> {
                    while (tracker.event().action("READ").track().code() != Result.CLOSED) {
                        tracker.flush(1, TimeUnit.SECONDS);
                    }
                });
                thread.setDaemon(true);
                thread.start();
            }
            Thread.sleep(100);
            System.exit(0);
        }
    }

    @Test
    @DisplayName("a JVM that ends with open trackers ends well")
    void endsWell() throws Exception {
        for (int round = 0; round < ROUNDS; ++round) {
            Path queue = directory.resolve("queue" + round);
            Path said = directory.resolve("said" + round);
            try (Endpoint endpoint = new Endpoint()) {
                List<String> command = new ArrayList<>();
                command.add(System.getProperty("yukha.jvm"));
                command.add("-Djava.library.path=" + System.getProperty("java.library.path"));
                command.add("-XX:ErrorFile=" + directory.resolve("error"));
                command.add("-cp");
                command.add(new File(Tracker.class.getProtectionDomain().getCodeSource().getLocation().toURI())
                        + File.pathSeparator
                        + new File(ExitTest.class.getProtectionDomain().getCodeSource().getLocation().toURI()));
                command.add(Leaver.class.getName());
                command.add(queue.toString());
                command.add(endpoint.url());
                ProcessBuilder leaver = new ProcessBuilder(command);
                leaver.environment().remove("LD_PRELOAD");  // what is to be loaded, yukha.jvm loads by itself
                int code = leaver.redirectErrorStream(true).redirectOutput(said.toFile()).start().waitFor();
                assertEquals(0, code, () -> "round " + queue.getFileName() + ": " + read(said));
                assertEquals("", read(said));
            }
        }
    }

    private static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } catch (java.io.IOException e) {
            return e.toString();
        }
    }
}
