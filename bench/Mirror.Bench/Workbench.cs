using Mirror.Bench.Clients;
using Mirror.Bench.Servers;

namespace Mirror.Bench;

/// <summary>The servers with their content, and what can be measured on them. Everything is gone when it is disposed.</summary>
internal sealed class Workbench : IAsyncDisposable
{
    private const int Connections = 32;
    private const int Crowd = 64;
    private const string Pushed = "pushed";

    private readonly Arguments _arguments;
    private readonly CancellationToken _stopping;
    private readonly DirectoryInfo _folder;
    private readonly Content _content;
    private readonly Report _report = new();
    private readonly NginxServer _nginx;
    private readonly MirrorServer _mirror;
    private readonly RegistryServer _registry;
    private readonly RegistryServer _proxy;
    private readonly MirrorServer _ruled;
    private readonly MirrorServer _startedMirror;
    private readonly RegistryServer _startedRegistry;
    private readonly Lists[] _lists;
    private readonly Encrypted _encrypted;
    private readonly Copies _copies;
    private bool _isEncryptedThere;
    private string _large = "";
    private int _round;

    private Workbench(Arguments arguments, CancellationToken stopping)
    {
        (_arguments, _stopping) = (arguments, stopping);
        _folder = Directory.CreateTempSubdirectory("mirror-bench-");
        _content = new Content((arguments.Quick ? 32 : 256) * 1024 * 1024);
        ManifestByDigest = Content.ManifestPath(Content.DigestOf(_content.Image.Manifest));
        _nginx = new NginxServer(Path.Combine(_folder.FullName, "nginx"), Content.DigestOf(_content.Image.Manifest));
        _mirror = new MirrorServer(Path.Combine(_folder.FullName, "mirror"), _nginx.Address);
        _registry = new RegistryServer(Report.Registry, Path.Combine(_folder.FullName, "registry"), upstream: null);
        _proxy = new RegistryServer("docker-registry as a proxy", Path.Combine(_folder.FullName, "proxy"), _nginx.Address);
        _ruled = new MirrorServer(Path.Combine(_folder.FullName, "ruled"), _nginx.Address, rules: 100);
        _startedMirror = new MirrorServer(Path.Combine(_folder.FullName, "started-mirror"), _nginx.Address);
        _startedRegistry = new RegistryServer(Report.Registry, Path.Combine(_folder.FullName, "started-registry"), upstream: null);
        _lists =
        [
            new Lists(Path.Combine(_folder.FullName, "few"), _nginx.Address, tags: 100, repositories: 100),
            new Lists(Path.Combine(_folder.FullName, "many"), _nginx.Address, tags: 50_000, repositories: 5000),
        ];
        _copies = new Copies(Path.Combine(_folder.FullName, "copies"), repositories: 10, tags: arguments.Quick ? 5 : 100);
        _encrypted = new Encrypted(Path.Combine(_folder.FullName, "tls"), _nginx.Address, _mirror, _registry);
    }

    public string ManifestByDigest { get; }

    private IEnumerable<Server> Servers => [_mirror, _registry, _proxy, _ruled, _startedMirror, _startedRegistry, _nginx];

    /// <summary>Those that have the warm content, in another order each round: who comes first has the machine as the one before left it.</summary>
    private IEnumerable<Server> Peers => Rotated<Server>(_mirror, _registry, _nginx);

    public static Workbench Create(Arguments arguments, CancellationToken stopping) => new(arguments, stopping);

    public async Task RunAsync()
    {
        await PrepareAsync();
        for (_round = 0; _round <= _arguments.Rounds; _round++)
        {
            foreach (var @case in _arguments.Cases)
            {
                _stopping.ThrowIfCancellationRequested();
                await Console.Error.WriteLineAsync(_round == 0 ? $"warm-up: {@case.Name}" : $"round {_round} of {_arguments.Rounds}: {@case.Name}");
                @case.Measure(this);
            }

            if (_round == 0)
            {
                _report.Clear();
            }
        }

        await Console.Out.WriteLineAsync($"{Environment.ProcessorCount} cores; medians of {_arguments.Rounds} rounds; ratios above 1: Mirror is better.\n");
        await Console.Out.WriteAsync(_report.ToString());
    }

    public void MeasureBlobs(int clients, int times)
    {
        var name = $"warm blob, {clients} client{(clients == 1 ? "" : "s")}";
        foreach (var peer in Peers)
        {
            var cpu = peer.CpuSeconds();
            var pulled = BlobClient.Pull(peer.Address, Content.BlobPath(_large), clients, times, _stopping);
            cpu = peer.CpuSeconds() - cpu;
            _report.Add(new Row(name, "MB/s", "0", LessIsBetter: false, "≥ 1.5×, ≥ 1×"), peer.Name, pulled.Bytes / 1e6 / pulled.Seconds);
            _report.Add(new Row(name, "CPU s/GB", "0.00", LessIsBetter: true), peer.Name, cpu / (pulled.Bytes / 1e9));
        }
    }

    public void MeasureRequests(string name, string method, string path, string goal)
    {
        foreach (var peer in Peers)
        {
            var cpu = peer.CpuSeconds();
            var (answers, seconds) = RequestClient.Ask(
                peer.Address, method, path, Connections, TimeSpan.FromSeconds(_arguments.Quick ? 1 : 3), _stopping);
            cpu = peer.CpuSeconds() - cpu;
            _report.Add(new Row(name, "req/s", "0", LessIsBetter: false, goal), peer.Name, answers / seconds);
            _report.Add(new Row(name, "CPU µs/req", "0.0", LessIsBetter: true), peer.Name, cpu / answers * 1e6);
        }
    }

    /// <summary>What a hundred rules cost. Beside docker-registry's column: Mirror without rules.</summary>
    public void MeasureRules()
    {
        // It is there when it is first looked at.
        if (_round == 0)
        {
            _ruled.Start(workingDirectory: null, _stopping);
            Warm(_ruled);
        }

        foreach (var (column, server) in Rotated((Report.Mirror, _ruled), (Report.Registry, _mirror)))
        {
            var cpu = server.CpuSeconds();
            var (answers, seconds) = RequestClient.Ask(
                server.Address, "GET", Content.ManifestPath(Content.Tag), Connections, TimeSpan.FromSeconds(_arguments.Quick ? 1 : 3), _stopping);
            cpu = server.CpuSeconds() - cpu;
            _report.Add(new Row("GET manifest by tag, 100 rules", "req/s", "0", LessIsBetter: false, "≥ 0.95×"), column, answers / seconds);
            _report.Add(new Row("GET manifest by tag, 100 rules", "CPU µs/req", "0.0", LessIsBetter: true), column, cpu / answers * 1e6);
        }
    }

    public void MeasureEncryptedBlobs(int clients, int times) => MeasureEncrypted((row, http, peer, server, working) =>
    {
        var cpu = working.Sum(each => each.CpuSeconds());
        var (_, seconds, bytes) = TlsClient.Ask(server.Address, Content.BlobPath(_large), http == "HTTP/2", clients, times, _stopping);
        cpu = working.Sum(each => each.CpuSeconds()) - cpu;
        var name = $"warm blob over TLS, {http}, {clients} client{(clients == 1 ? "" : "s")}{row}";
        _report.Add(new Row(name, "MB/s", "0", LessIsBetter: false), peer, bytes / 1e6 / seconds);
        _report.Add(new Row(name, "CPU s/GB", "0.00", LessIsBetter: true), peer, cpu / (bytes / 1e9));
    });

    public void MeasureEncryptedRequests() => MeasureEncrypted((row, http, peer, server, working) =>
    {
        var cpu = working.Sum(each => each.CpuSeconds());
        var (answers, seconds, _) = TlsClient.Ask(
            server.Address, Content.ManifestPath(Content.Tag), http == "HTTP/2", Connections, TimeSpan.FromSeconds(_arguments.Quick ? 1 : 3), _stopping);
        cpu = working.Sum(each => each.CpuSeconds()) - cpu;
        var name = $"GET manifest by tag over TLS, {http}{row}";
        _report.Add(new Row(name, "req/s", "0", LessIsBetter: false), peer, answers / seconds);
        _report.Add(new Row(name, "CPU µs/req", "0.0", LessIsBetter: true), peer, cpu / answers * 1e6);
    });

    private void MeasureEncrypted(Action<string, string, string, Server, Server[]> measure)
    {
        // They are there when they are first looked at.
        if (!_isEncryptedThere)
        {
            _encrypted.Start([Content.BlobPath(_large), Content.ManifestPath(Content.Tag)], _stopping);
            _isEncryptedThere = true;
        }

        foreach (var http in (string[])["HTTP/1.1", "HTTP/2"])
        {
            foreach (var (row, peer, server, working) in Rotated([.. _encrypted.Peers]))
            {
                measure(row, http, peer, server, working);
            }
        }
    }

    /// <summary>What Mirror takes for a page of a short list, and of a long one.</summary>
    public void MeasureLists()
    {
        foreach (var list in _lists)
        {
            // They are there when they are first looked at.
            if (_round == 0)
            {
                list.Start(_stopping);
            }

            foreach (var (name, path) in list.Pages)
            {
                var cpu = list.Server.CpuSeconds();
                var (answers, seconds) = RequestClient.Ask(
                    list.Server.Address, "GET", path, Connections, TimeSpan.FromSeconds(_arguments.Quick ? 1 : 3), _stopping);
                cpu = list.Server.CpuSeconds() - cpu;
                _report.Add(new Row(name, "req/s", "0", LessIsBetter: false), list.Server.Name, answers / seconds);
                _report.Add(new Row(name, "CPU µs/req", "0.0", LessIsBetter: true), list.Server.Name, cpu / answers * 1e6);
            }
        }
    }

    /// <summary>A blob that no mirror has seen; nginx is where they get it from, and how fast it is without them.</summary>
    public void MeasureCold(int clients)
    {
        // Once without looking: the mirrors may have been started since they last fetched something.
        PullCold(clients, (_, _, _, _, _) => { });
        PullCold(clients, AddCold);
    }

    private void PullCold(int clients, Action<string, int, Pulled, double, double> add)
    {
        var content = _content.NextLarge();
        var digest = Content.DigestOf(content);
        var path = Content.BlobPath(digest);
        Content.Write(_nginx.Files, path, content);
        var direct = 0.0;
        foreach (var (name, server) in Rotated<(string, Server)>((Report.Mirror, _mirror), (Report.Registry, _proxy)).Prepend((Report.Nginx, _nginx)))
        {
            Disk.TouchMemory(_folder.FullName, content, times: 3);
            var cpu = server.CpuSeconds();
            var pulled = BlobClient.Pull(server.Address, path, clients, times: 1, _stopping);
            cpu = server.CpuSecondsAtRest() - cpu;
            direct = server == _nginx ? pulled.FirstByte : direct;
            add(name, clients, pulled, cpu, direct);
        }

        BlobClient.Verify(_mirror.Address, path, digest);
        foreach (var server in (Server[])[_mirror, _proxy, _nginx])
        {
            server.Discard(digest["sha256:".Length..]);
        }
    }

    private void AddCold(string name, int clients, Pulled pulled, double cpu, double direct)
    {
        if (clients > 1)
        {
            var row = $"cold blob, {clients} clients";
            _report.Add(new Row(row, "s for all", "0.00", LessIsBetter: true, "≥ 6×"), name, pulled.Seconds);
            _report.Add(new Row(row, "CPU s", "0.00", LessIsBetter: true), name, cpu);
            return;
        }

        _report.Add(new Row("cold blob, 1 client", "MB/s", "0", LessIsBetter: false, "≥ 1.5×"), name, pulled.Bytes / 1e6 / pulled.Seconds);
        _report.Add(new Row("cold blob, 1 client", "CPU s/GB", "0.00", LessIsBetter: true), name, cpu / (pulled.Bytes / 1e9));
        if (name != Report.Nginx)
        {
            _report.Add(
                new Row("cold blob, first byte after upstream's", "ms", "0.0", LessIsBetter: true, "≤ 5 ms"), name, pulled.FirstByte - direct);
        }
    }

    /// <summary>A blob of 1 GiB, until it is acknowledged. Beside nginx's column: the same bytes written to a file and flushed, without any server.</summary>
    public void MeasurePush()
    {
        const int Times = 4;
        var content = _content.NextLarge();
        var digest = Content.DigestOf(content, Times);
        var bytes = (double)content.Length * Times;
        foreach (var peer in Rotated<Server>(_mirror, _registry))
        {
            var cpu = peer.CpuSeconds();
            var seconds = PushClient.PushBlob(peer.Address, Pushed, content, Times, digest);
            cpu = peer.CpuSeconds() - cpu;
            _report.Add(new Row("push of a large blob", "MB/s", "0", LessIsBetter: false, "≥ 2×"), peer.Name, bytes / 1e6 / seconds);
            _report.Add(new Row("push of a large blob", "CPU s/GB", "0.00", LessIsBetter: true), peer.Name, cpu / (bytes / 1e9));
            peer.Discard(digest["sha256:".Length..]);
        }

        _report.Add(
            new Row("push of a large blob", "MB/s", "0", LessIsBetter: false, "≥ 2×"), Report.Nginx, bytes / 1e6 / Disk.Write(_folder.FullName, content, Times));
    }

    public void MeasureImagePushes()
    {
        const int Clients = 8;
        var images = Enumerable.Range(0, _arguments.Quick ? 20 : 200).Select(NextSmall).ToList();
        foreach (var peer in Rotated<Server>(_mirror, _registry))
        {
            var cpu = peer.CpuSeconds();
            var seconds = PushClient.PushImages(peer.Address, Pushed, images, Clients, _stopping);
            cpu = peer.CpuSeconds() - cpu;
            var row = $"push of {images.Count} small images, {Clients} clients";
            _report.Add(new Row(row, "s for all", "0.00", LessIsBetter: true), peer.Name, seconds);
            _report.Add(new Row(row, "CPU s", "0.00", LessIsBetter: true), peer.Name, cpu);
        }
    }

    /// <summary>A first run, and one that finds nothing new. Beside docker-registry's column: skopeo sync, between the same registries.</summary>
    public void MeasureCopies()
    {
        // They are there when they are first looked at.
        if (_round == 0)
        {
            _copies.Start(_stopping);
        }

        foreach (var (column, who) in Rotated((Report.Mirror, Copies.Mirror), (Report.Registry, Copies.Skopeo)))
        {
            var (first, again, immutable) = _copies.Copy(who, _stopping);
            AddCopied("first sync", column, first, "≥ 2×", "");
            AddCopied("sync with nothing new", column, again, "≥ 10×", "≥ 10×");
            AddCopied("sync with nothing new, immutable tags", column, immutable, "≥ 10×", "≥ 10×");
        }
    }

    private void AddCopied(string name, string column, Copied copied, string goal, string requestGoal)
    {
        _report.Add(new Row(name, "s", "0.00", LessIsBetter: true, goal), column, copied.Seconds);
        _report.Add(new Row(name, "requests", "0", LessIsBetter: true, requestGoal), column, copied.SourceRequests + copied.TargetRequests);
        _report.Add(new Row(name, "MB from the source", "0.0", LessIsBetter: true), column, copied.Bytes / 1e6);
    }

    /// <summary>In a process that has done nothing else: what earlier work has left would be counted too.</summary>
    public void MeasureMemory()
    {
        foreach (var peer in Rotated<Server>(_mirror, _registry))
        {
            peer.Stop();
            peer.Start(workingDirectory: null, _stopping);
            peer.ResetPeakMemory();
            BlobClient.Pull(peer.Address, Content.BlobPath(_large), Crowd, times: 1, _stopping);
            _report.Add(new Row($"peak memory, {Crowd} blob pulls", "MiB", "0", LessIsBetter: true, "< 150"), peer.Name, peer.PeakMemory());
            Warm(peer);
        }
    }

    public void MeasureStart()
    {
        foreach (var (where, folder) in (IEnumerable<(string, string)>)[("in /", "/"), ("in a large folder", LargeFolder())])
        {
            foreach (var server in Rotated<Server>(_startedMirror, _startedRegistry))
            {
                _report.Add(new Row($"start {where}", "ms", "0", LessIsBetter: true, "< 250"), server.Name, server.Start(folder, _stopping));
                server.Stop();
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        foreach (var server in Servers)
        {
            server.Dispose();
        }

        foreach (var list in _lists)
        {
            list.Dispose();
        }

        _encrypted.Dispose();
        _copies.Dispose();

        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    private async Task PrepareAsync()
    {
        Content.Write(_nginx.Files, Content.ManifestPath(Content.Tag), _content.Image.Manifest);
        Content.Write(_nginx.Files, ManifestByDigest, _content.Image.Manifest);
        var large = _content.NextLarge();
        _large = Content.DigestOf(large);
        Content.Write(_nginx.Files, Content.BlobPath(_large), large);
        foreach (var blob in _content.Image.Blobs)
        {
            Content.Write(_nginx.Files, Content.BlobPath(Content.DigestOf(blob)), blob);
        }

        foreach (var server in (Server[])[_nginx, _mirror, _registry, _proxy])
        {
            server.Start(workingDirectory: null, _stopping);
        }

        using var http = new HttpClient();
        await Content.PushAsync(http, _registry.Address, large, _stopping);
        await _content.PushImageAsync(http, _registry.Address, _stopping);
        foreach (var peer in Peers)
        {
            Warm(peer);
        }
    }

    /// <summary>Until the content comes from the server itself and its code has been compiled. What comes is checked here, where nothing is timed.</summary>
    private void Warm(Server peer)
    {
        var moment = TimeSpan.FromSeconds(0.5);
        BlobClient.Verify(peer.Address, Content.BlobPath(_large), _large);
        RequestClient.Ask(peer.Address, "GET", Content.ManifestPath(Content.Tag), Connections, moment, _stopping);
        RequestClient.Ask(peer.Address, "GET", ManifestByDigest, Connections, moment, _stopping);
        BlobClient.Pull(peer.Address, Content.BlobPath(_large), clients: 4, times: 1, _stopping);
    }

    /// <summary>An image of three layers that nobody has seen.</summary>
    private Image NextSmall(int number)
    {
        var random = new Random((_round * 1000) + number);
        byte[] Layer()
        {
            var layer = new byte[20_000];
            random.NextBytes(layer);
            return layer;
        }

        return Image.Of([Layer(), Layer(), Layer()], $"{_round}.{number}");
    }

    private string LargeFolder()
    {
        var folder = Path.Combine(_folder.FullName, "large");
        if (!Directory.Exists(folder))
        {
            for (var i = 0; i < 10_000; i++)
            {
                var inner = Directory.CreateDirectory(Path.Combine(folder, $"{i / 100}", $"{i}"));
                File.WriteAllText(Path.Combine(inner.FullName, "file"), "");
            }
        }

        return folder;
    }

    private IEnumerable<T> Rotated<T>(params T[] items) => Enumerable.Range(0, items.Length).Select(i => items[(i + _round) % items.Length]);
}
