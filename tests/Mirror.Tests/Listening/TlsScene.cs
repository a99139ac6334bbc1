using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Mirror.Configuration;
using Mirror.Testing;

namespace Mirror.Tests.Listening;

/// <summary>A Mirror without upstreams that speaks TLS, with the files of its certificate.</summary>
internal sealed class TlsScene : IAsyncDisposable
{
    private readonly TemporaryDirectory _folder;
    private MirrorHost? _mirror;

    private TlsScene(TemporaryDirectory folder, TestAuthority authority)
    {
        (_folder, Authority) = (folder, authority);
        Options = new TlsOptions { Certificate = folder.Combine("server.crt"), Key = folder.Combine("server.key") };
    }

    /// <summary>Vouches for the server.</summary>
    public TestAuthority Authority { get; }

    public TlsOptions Options { get; private set; }

    public MirrorHost Mirror => _mirror!;

    /// <param name="configure">Changes how the server is reached.</param>
    /// <param name="clientCa">Who vouches for clients; nobody is asked for a certificate where this is null.</param>
    /// <param name="requireClientCertificate">Whether nobody is served without.</param>
    /// <param name="registries">What may be pulled through; nothing where this is null.</param>
    /// <param name="access">Who may do what; everybody everything where this is null.</param>
    /// <param name="local">Names that are its own; the usual ones where this is null.</param>
    /// <param name="certificate">What the server shows first; null for one that is valid for years.</param>
    public static async Task<TlsScene> StartAsync(
        Func<ServerOptions, ServerOptions>? configure = null,
        TestAuthority? clientCa = null,
        bool requireClientCertificate = false,
        IReadOnlyList<RegistryOptions>? registries = null,
        AccessOptions? access = null,
        IEnumerable<string>? local = null,
        Func<TestAuthority, X509Certificate2>? certificate = null)
    {
        var scene = new TlsScene(new TemporaryDirectory(), new TestAuthority());
        using var first = certificate?.Invoke(scene.Authority) ?? scene.Authority.Issue("127.0.0.1");
        scene.Write(first);
        if (clientCa is not null)
        {
            scene.Options = scene.Options with { ClientCa = scene._folder.Combine("clients.crt"), RequireClientCertificate = requireClientCertificate };
            scene.WriteClientCa(clientCa);
        }

        scene._mirror = await MirrorHost.StartAsync(
            registries ?? [], access, local, server => (configure?.Invoke(server) ?? server) with { Tls = scene.Options });
        return scene;
    }

    public void Write(X509Certificate2 certificate, params IEnumerable<X509Certificate2> chain)
    {
        WriteCertificate(certificate, chain);
        WriteKey(certificate);
    }

    public void WriteCertificate(X509Certificate2 certificate, params IEnumerable<X509Certificate2> chain) =>
        File.WriteAllText(Options.Certificate, string.Join('\n', chain.Prepend(certificate).Select(each => each.ExportCertificatePem())));

    public void WriteKey(X509Certificate2 certificate) => File.WriteAllText(Options.Key, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());

    public void WriteClientCa(TestAuthority authority) => File.WriteAllText(Options.ClientCa!, authority.Certificates.ExportCertificatePems());

    /// <summary>Moves the clock as far as new files are noticed within.</summary>
    public void LetFilesBeSeen() => Mirror.Time.Advance(TimeSpan.FromSeconds(1));

    /// <summary>A client of its own connections, which trusts the authority and nobody else.</summary>
    public HttpClient Client(Version? version = null, X509Certificate2? certificate = null, IPAddress? from = null)
    {
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false };
        if (from is not null)
        {
            handler.ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Bind(new IPEndPoint(from, port: 0));
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            };
        }

        handler.SslOptions = OptionsOf(certificate);
        handler.SslOptions.CertificateChainPolicy = Trust();
        return new HttpClient(handler)
        {
            BaseAddress = Mirror.Url,
            DefaultRequestVersion = version ?? HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = TimeSpan.FromSeconds(30),
        };
    }

    /// <summary>What the server shows in a handshake: its own certificate first.</summary>
    public async Task<IReadOnlyList<X509Certificate2>> ShownAsync()
    {
        IReadOnlyList<X509Certificate2> shown = [];
        await using var connection = await ConnectAsync((own, others) => shown = [own, .. others]);
        return shown;
    }

    /// <summary>A connection whose handshake is done.</summary>
    public Task<SslStream> ConnectAsync() => ConnectAsync((_, _) => { });

    public async ValueTask DisposeAsync()
    {
        if (_mirror is not null)
        {
            await _mirror.DisposeAsync();
        }

        Authority.Dispose();
        _folder.Dispose();
    }

    private async Task<SslStream> ConnectAsync(Action<X509Certificate2, IEnumerable<X509Certificate2>> see)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(Mirror.Url.Host, Mirror.Url.Port);
        var ssl = new SslStream(new NetworkStream(socket, ownsSocket: true), leaveInnerStreamOpen: false, (_, certificate, chain, errors) =>
        {
            see(Copy(certificate!), [.. chain!.ChainPolicy.ExtraStore.Select(Copy)]);
            return errors == SslPolicyErrors.None;
        });
        await ssl.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = Mirror.Url.Host, CertificateChainPolicy = Trust() });
        return ssl;
    }

    private static X509Certificate2 Copy(X509Certificate certificate) => X509CertificateLoader.LoadCertificate(certificate.GetRawCertData());

    private static SslClientAuthenticationOptions OptionsOf(X509Certificate2? certificate)
    {
        var options = new SslClientAuthenticationOptions();
        if (certificate is not null)
        {
            options.ClientCertificates = [certificate];
            options.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        }

        return options;
    }

    private X509ChainPolicy Trust()
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            VerificationTime = Mirror.Time.GetUtcNow().UtcDateTime,
        };
        policy.CustomTrustStore.AddRange(Authority.Certificates);
        return policy;
    }
}
