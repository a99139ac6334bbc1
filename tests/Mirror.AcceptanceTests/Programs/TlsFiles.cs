using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>The files of a server that speaks TLS, and those of its clients: an authority that no system trusts has signed them all.</summary>
internal sealed class TlsFiles : IDisposable
{
    private readonly TemporaryDirectory _folder = new();
    private readonly TestAuthority _authority = new();

    /// <param name="name">The server's.</param>
    public TlsFiles(string name)
    {
        Name = name;
        Write(name, Certificate, Key);
        Directory.CreateDirectory(Authorities);
        WriteAuthority(Authorities);
    }

    /// <summary>The server's name, which is in its certificate.</summary>
    public string Name { get; }

    public string Certificate => _folder.Combine("domain.crt");

    public string Key => _folder.Combine("domain.key");

    /// <summary>A folder with the authority's certificate, as clients are given it.</summary>
    public string Authorities => _folder.Combine("authorities");

    /// <summary>The authority's certificate.</summary>
    public string Authority => Path.Combine(Authorities, "ca.crt");

    /// <summary>Has clients that look into a folder trust the server.</summary>
    public void WriteAuthority(string folder) =>
        File.WriteAllText(Path.Combine(folder, "ca.crt"), _authority.Certificates.ExportCertificatePems());

    /// <summary>Has clients that look into a folder show a certificate with a user's name.</summary>
    public void WriteClient(string folder, string user) =>
        Write(user, Path.Combine(folder, "client.cert"), Path.Combine(folder, "client.key"));

    /// <summary>A client that trusts the authority.</summary>
    /// <param name="server">Where the server is, whatever its name leads to.</param>
    /// <param name="from">The client's own address: any of 127.0.0.0/8 is this machine's. Null for the usual one.</param>
    public SocketsHttpHandler Handler(IPAddress server, IPAddress? from = null)
    {
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(_authority.Certificates);
        return new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy },
            ConnectCallback = async (context, cancellationToken) =>
            {
                var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                if (from is not null)
                {
                    socket.Bind(new IPEndPoint(from, port: 0));
                }

                await socket.ConnectAsync(server, context.DnsEndPoint.Port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
    }

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Dispose();
    }

    private void Write(string name, string certificateFile, string keyFile)
    {
        using var certificate = _authority.Issue(name);
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
    }
}
