package dev.yukha;

import java.util.concurrent.TimeUnit;

/**
 * What an app says once, before the first sentence. Everything but {@code appId} and {@code queueDir} may be left as it
 * is; null or 0 leaves a default, too. Tracker.open() checks it and answers what is wrong.
 *
 * <p>Threads: one.
 */
public final class Config {
    private static final long NUMBER_MAX = 0xFFFFFFFFL;

    private final String appId;
    private final String queueDir;
    private String lane;
    private String endpoint;
    private String keyId;
    private String keySecretBase64;
    private String appVersion;
    private String os;
    private String model;
    private String locale;
    private boolean useThread = true;
    private boolean allowPlainHttp;
    private boolean deviceFacts = true;
    private long uploadIntervalMs;
    private long syncIntervalMs = defaultSyncIntervalMs(System.getProperty("java.vm.name"));
    private long ringFullWaitMs;
    private long ageMaxHours;
    private long ringBytes;
    private long queueBytesMax;

    /**
     * @param appId names the app in locations (app://shop/FEED): [a-z0-9][a-z0-9.-]{0,127}
     * @param queueDir where sentences wait: a directory of the app's own, not backed up; on Android one below
     *     {@code context.getNoBackupFilesDir()}
     */
    public Config(String appId, String queueDir) {
        this.appId = appId;
        this.queueDir = queueDir;
    }

    /** One process writes one lane; a free one is taken when none is named. */
    public Config lane(String name) {
        lane = name;
        return this;
    }

    /** Where batches go: https://host/path. Without it sentences are kept, not sent. */
    public Config endpoint(String url) {
        endpoint = url;
        return this;
    }

    /** The shared secret that signs requests: 16 to 256 bytes in base64. */
    public Config key(String id, String secretBase64) {
        keyId = id;
        keySecretBase64 = secretBase64;
        return this;
    }

    public Config appVersion(String version) {
        appVersion = version;
        return this;
    }

    public Config os(String name) {
        os = name;
        return this;
    }

    public Config model(String name) {
        model = name;
        return this;
    }

    public Config locale(String name) {
        locale = name;
        return this;
    }

    /** false: no thread is started, and the host calls {@link Tracker#work}. */
    public Config useThread(boolean use) {
        useThread = use;
        return this;
    }

    /** Plain http is for loopback; anywhere else it must be asked for here. */
    public Config allowPlainHttp(boolean allow) {
        allowPlainHttp = allow;
        return this;
    }

    /** false: {@code os}, {@code model} and {@code locale} are not found out when left empty. */
    public Config deviceFacts(boolean collect) {
        deviceFacts = collect;
        return this;
    }

    /** How long a full batch may be waited for: 100 ms to 1 h; 10 s by default. */
    public Config uploadInterval(long time, TimeUnit unit) {
        uploadIntervalMs = milliseconds(time, unit);
        return this;
    }

    /** The power-loss window: 10 ms to 1 min; 1 s by default, 5 s on Android. */
    public Config syncInterval(long time, TimeUnit unit) {
        syncIntervalMs = milliseconds(time, unit);
        return this;
    }

    /** What track() may wait for when the ring is full: up to 1 min; not at all by default. */
    public Config ringFullWait(long time, TimeUnit unit) {
        ringFullWaitMs = milliseconds(time, unit);
        return this;
    }

    /** How old a waiting sentence may become: 1 h to 30 days, which is the default. */
    public Config ageMaxHours(long hours) {
        ageMaxHours = hours;
        return this;
    }

    /** 64 KiB to 64 MiB; 512 KiB by default. */
    public Config ringBytes(long bytes) {
        ringBytes = bytes;
        return this;
    }

    /** All files of the directory together: 8 MiB to 64 GiB; 64 MiB by default. */
    public Config queueBytesMax(long bytes) {
        queueBytesMax = bytes;
        return this;
    }

    /** A phone's flash is slow to sync and its battery rarely falls out: the library's own second becomes five there. */
    static long defaultSyncIntervalMs(String vmName) {
        return "Dalvik".equals(vmName) ? 5000 : 0;
    }

    Packet packet() {
        Packet packet = new Packet();
        packet.terminated(appId);
        // A path with a NUL is none; as the empty one it is refused, not made to another directory.
        packet.terminated(queueDir != null && queueDir.indexOf('\0') >= 0 ? "" : queueDir);
        packet.terminated(lane).terminated(endpoint).terminated(keyId).terminated(keySecretBase64);
        packet.terminated(appVersion).terminated(os).terminated(model).terminated(locale);
        packet.number(useThread ? 0 : 1).number(allowPlainHttp ? 1 : 0).number(deviceFacts ? 0 : 1);
        packet.number(unsigned(uploadIntervalMs)).number(unsigned(syncIntervalMs)).number(unsigned(ringFullWaitMs));
        packet.number(unsigned(ageMaxHours));
        return packet.wide(ringBytes).wide(queueBytesMax);
    }

    /** Less than a millisecond is one, because 0 would be the default. */
    private static long milliseconds(long time, TimeUnit unit) {
        if (unit == null) return NUMBER_MAX;
        return time > 0 ? Math.max(1, unit.toMillis(time)) : unit.toMillis(time);
    }

    /** What 32 bits cannot hold becomes the largest number, which is outside every range and so refused. */
    private static int unsigned(long value) {
        return (int) (value < 0 ? NUMBER_MAX : Math.min(value, NUMBER_MAX));
    }
}
