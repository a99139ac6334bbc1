using System.Net;
using Mirror.Bench.Clients;
using Mirror.Bench.Servers;

namespace Mirror.Bench;

/// <summary>The servers that speak TLS: each by itself, and each behind an nginx that does.</summary>
internal sealed class Encrypted : IDisposable
{
    private readonly MirrorServer _mirror;
    private readonly RegistryServer _registry;
    private readonly TlsEndServer _mirrorsEnd;
    private readonly TlsEndServer _registrysEnd;
    private readonly Server _plainMirror;
    private readonly Server _plainRegistry;

    /// <param name="folder">For their files.</param>
    /// <param name="upstream">Where Mirror has the content from.</param>
    /// <param name="plainMirror">Runs, and has the content.</param>
    /// <param name="plainRegistry">Runs, and has the content.</param>
    public Encrypted(string folder, IPEndPoint upstream, MirrorServer plainMirror, RegistryServer plainRegistry)
    {
        var certificate = Certificate.Create(folder);
        (_plainMirror, _plainRegistry) = (plainMirror, plainRegistry);
        _mirror = new MirrorServer(Path.Combine(folder, "mirror"), upstream, certificate);
        _registry = new RegistryServer(Report.Registry, Path.Combine(folder, "registry"), upstream: null, certificate, plainRegistry.Data);
        _mirrorsEnd = new TlsEndServer("nginx before Mirror", Path.Combine(folder, "mirrors-end"), certificate, plainMirror.Address);
        _registrysEnd = new TlsEndServer("nginx before docker-registry", Path.Combine(folder, "registrys-end"), certificate, plainRegistry.Address);
    }

    /// <summary>Who is measured, as what, and the processes whose time it takes. Beside nginx's column: what people have before docker-registry.</summary>
    public IEnumerable<(string Row, string Peer, Server Server, Server[] Working)> Peers =>
    [
        ("", Report.Mirror, _mirror, [_mirror]),
        ("", Report.Registry, _registry, [_registry]),
        ("", Report.Nginx, _registrysEnd, [_registrysEnd, _plainRegistry]),
        (" behind nginx", Report.Mirror, _mirrorsEnd, [_mirrorsEnd, _plainMirror]),
        (" behind nginx", Report.Registry, _registrysEnd, [_registrysEnd, _plainRegistry]),
    ];

    private IEnumerable<Server> Servers => [_mirror, _registry, _mirrorsEnd, _registrysEnd];

    /// <param name="paths">What is asked for later, until it comes from each server itself and its code has been compiled.</param>
    /// <param name="stopping">Breaks it off.</param>
    public void Start(IReadOnlyList<string> paths, CancellationToken stopping)
    {
        foreach (var server in Servers)
        {
            server.Start(workingDirectory: null, stopping);
            foreach (var (path, http2) in paths.SelectMany(path => (IEnumerable<(string, bool)>)[(path, false), (path, true)]))
            {
                TlsClient.Ask(server.Address, path, http2, connections: 2, times: 2, stopping);
            }
        }
    }

    public void Dispose()
    {
        foreach (var server in Servers)
        {
            server.Dispose();
        }
    }
}
