using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Mirror.Configuration;
using Mirror.Configuration.Reading;

namespace Mirror.Listening;

/// <summary>
/// TLS on the addresses that clients come to. Each handshake takes the certificate that holds then; connections that there are keep theirs.
/// </summary>
internal sealed partial class Encryption : IAsyncDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>So long before the certificate's end it is time to do something.</summary>
    private static readonly TimeSpan Notice = TimeSpan.FromDays(14);

    private readonly TlsOptions _options;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private readonly ILogger<Encryption> _logger;
    private readonly WatchedFiles<SslStreamCertificateContext> _certificate;
    private readonly WatchedFiles<X509Certificate2Collection>? _clientAuthorities;
    private readonly PeriodicTimer _timer;
    private readonly Task _reminding;

    /// <param name="options">Where the files are.</param>
    /// <param name="patience">How long a handshake may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets what is wrong with the files.</param>
    /// <exception cref="CertificateException">They hold nothing that could be used.</exception>
    public Encryption(TlsOptions options, TimeSpan patience, TimeProvider time, ILogger<Encryption> logger)
    {
        (_options, _patience, _time, _logger) = (options, patience, time, logger);
        _certificate = new([options.Certificate, options.Key], ParseCertificate, time, logger);
        _clientAuthorities = options.ClientCa is { } path ? new([path], texts => Pem.ParseCertificates(texts[0]), time, logger) : null;
        _timer = new PeriodicTimer(Day, time);
        _reminding = RemindAsync();
    }

    /// <summary>That the certificate ends soon or has ended, for people; null where there is nothing to say.</summary>
    public string? FindTrouble()
    {
        var end = new DateTimeOffset(_certificate.Current().TargetCertificate.NotAfter.ToUniversalTime());
        var left = end - _time.GetUtcNow();
        var date = end.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
        return left > Notice ? null
            : left <= TimeSpan.Zero ? $"the certificate in {_options.Certificate} has ended on {date}: clients refuse it"
            : $"the certificate in {_options.Certificate} ends on {date}, in {left.Days} days";
    }

    /// <summary>Has an address speak TLS, and HTTP/2 with who wants it.</summary>
    public void AddTo(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        listen.Use(next => PlainHttp.Before(next, _patience));
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = _patience,
            OnConnection = connection => ValueTask.FromResult(OptionsFor(connection.Connection)),
        });
    }

    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _reminding;
    }

    private Parsed<SslStreamCertificateContext> ParseCertificate(IReadOnlyList<string> texts)
    {
        var parsed = ServerCertificate.Parse(texts[0], texts[1]);
        if (parsed.Fault is not null)
        {
            return Parsed.Wrong<SslStreamCertificateContext>(parsed.Fault);
        }

        // Offline: what is missing of the chain is not looked for in the network.
        return parsed.Value.FindFault(_time.GetUtcNow()) is { } fault
            ? Parsed.Wrong<SslStreamCertificateContext>($"the certificate {fault}")
            : Parsed.Right(SslStreamCertificateContext.Create(parsed.Value.Leaf, parsed.Value.Chain, offline: true));
    }

    private SslServerAuthenticationOptions OptionsFor(ConnectionContext connection)
    {
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = _certificate.Current(),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        if (_clientAuthorities is { } authorities)
        {
            options.ClientCertificateRequired = true;    // to ask for it; whether one has to come is decided below
            options.CertificateChainPolicy = PolicyOf(authorities.Current());
            options.RemoteCertificateValidationCallback = (_, _, chain, errors) => Judge(connection, chain, errors);
        }

        return options;
    }

    /// <summary>Only our authorities vouch for clients, and not those whom the system trusts. That it is for a client is checked by itself.</summary>
    private X509ChainPolicy PolicyOf(X509Certificate2Collection authorities)
    {
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationTime = _time.GetUtcNow().UtcDateTime,
        };
        policy.CustomTrustStore.AddRange(authorities);
        return policy;
    }

    [SuppressMessage("Security", "CA5359", Justification = "Who is refused is told so in the answer to each request, by RefusedClient.")]
    private bool Judge(ConnectionContext connection, X509Chain? chain, SslPolicyErrors errors)
    {
        if (FindRefusal(chain, errors) is { } why)
        {
            connection.Features.Set(new RefusedClient(why));
        }

        return true;
    }

    private string? FindRefusal(X509Chain? chain, SslPolicyErrors errors) => errors switch
    {
        SslPolicyErrors.None => null,
        SslPolicyErrors.RemoteCertificateNotAvailable => _options.RequireClientCertificate ? "show a client certificate: one is required here" : null,
        _ when chain?.ChainStatus is [var first, ..] => $"the client certificate does not count here: {first.StatusInformation.TrimEnd('.', ' ', '\n')}",
        _ => "the client certificate does not count here",
    };

    private async Task RemindAsync()
    {
        do
        {
            if (FindTrouble() is { } trouble)
            {
                LogTrouble(trouble);
            }
        }
        while (await _timer.WaitForNextTickAsync());
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The certificate is to be renewed: {Trouble}")]
    private partial void LogTrouble(string trouble);
}
