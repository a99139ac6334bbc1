using System.Net;

namespace Mirror.Bench.Servers;

/// <summary>Docker's registry, plain, or as a proxy of <paramref name="upstream"/>.</summary>
/// <param name="name">In the table.</param>
/// <param name="folder">For its files.</param>
/// <param name="upstream">Null for a registry of its own.</param>
/// <param name="certificate">With which it speaks TLS; null for plain HTTP.</param>
/// <param name="data">Another's data; null for its own.</param>
internal sealed class RegistryServer(string name, string folder, IPEndPoint? upstream, Certificate? certificate = null, string? data = null)
    : Server(name, folder)
{
    private const string Mark = "/v2/marks/";

    private readonly object _gate = new();
    private int _marks;
    private int _seen;
    private int _requests;
    private long _bytes;

    /// <summary>Whether it writes down its requests, which takes a little time.</summary>
    public bool CountsRequests { get; init; }

    public string Data => data ?? Path.Combine(Folder, "data");

    protected override bool SpeaksTls => certificate is not null;

    protected override string Program => "docker-registry";

    protected override string[] Arguments => ["serve", Path.Combine(Folder, "registry.yml")];

    protected override void WriteConfiguration() => File.WriteAllText(Path.Combine(Folder, "registry.yml"), $"""
        version: 0.1
        log:
          level: error
          accesslog:
            disabled: {(CountsRequests ? "false" : "true")}
        storage:
          cache:
            blobdescriptor: inmemory
          filesystem:
            rootdirectory: {Data}
          maintenance:
            uploadpurging:
              enabled: false
        http:
          addr: {Address}
          secret: bench
          {(certificate is null ? "" : $"tls: {{ certificate: {certificate.Path}, key: {certificate.KeyPath} }}")}
        {(upstream is null ? "" : $"proxy:\n  remoteurl: http://{upstream}\n")}
        """);

    /// <summary>The requests so far, and the bytes that it has sent. One more is made here, behind which all others are counted.</summary>
    public (int Requests, long Bytes) Counted()
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{Address}{Mark}{Interlocked.Increment(ref _marks)}");
        http.Send(request).Dispose();
        lock (_gate)
        {
            while (_seen < _marks)
            {
                Monitor.Wait(_gate);
            }

            return (_requests, _bytes);
        }
    }

    /// <summary>Of a line such as <c>… "GET /v2/… HTTP/1.1" 200 1234 …</c>.</summary>
    protected override void Printed(string line)
    {
        const string Version = " HTTP/1.1\" ";
        if (line.IndexOf(Version, StringComparison.Ordinal) is not (var version and >= 0))
        {
            return;
        }

        var sent = line[(version + Version.Length)..].Split(' ');
        lock (_gate)
        {
            if (line.Contains(Mark, StringComparison.Ordinal))
            {
                _seen++;
                Monitor.PulseAll(_gate);
            }
            else
            {
                _requests++;
                _bytes += sent.Length > 1 && long.TryParse(sent[1], out var bytes) ? bytes : 0;
            }
        }
    }
}
