package dev.yukha;

import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** An endpoint on loopback that takes every line, so that a test can see what arrived. It checks no signature. */
final class Endpoint implements AutoCloseable {
    private final HttpServer server;
    private final List<String> lines = new ArrayList<>();

    Endpoint() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/v1/events", exchange -> {
            List<String> arrived;
            try (InputStream body = new GZIPInputStream(exchange.getRequestBody())) {
                ByteArrayOutputStream all = new ByteArrayOutputStream();
                byte[] piece = new byte[8192];
                for (int size = body.read(piece); size >= 0; size = body.read(piece)) all.write(piece, 0, size);
                arrived = Arrays.asList(new String(all.toByteArray(), StandardCharsets.UTF_8).split("\n"));
            }
            synchronized (lines) {
                for (String line : arrived) {
                    if (!line.contains("\"yukha_ledger\"")) lines.add(line);
                }
            }
            byte[] answer = ("{\"accepted\":" + arrived.size() + ",\"rejected\":[]}").getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    /** What arrived so far, without the library's own ledger. */
    List<String> lines() {
        synchronized (lines) {
            return new ArrayList<>(lines);
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
