using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Mirror.Oci.Remote;

/// <summary>Which servers a registry's connections trust: those that the system does, and those whom the registry's own authorities vouch for.</summary>
internal static class ServerTrust
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    public static SslClientAuthenticationOptions OptionsOf(RemoteRegistryOptions options)
    {
        var ssl = new SslClientAuthenticationOptions();
        if (options.CertificateAuthorities is { Count: > 0 } authorities)
        {
            ssl.RemoteCertificateValidationCallback = (_, certificate, chain, errors) => IsTrusted(certificate, chain, errors, authorities);
        }

        if (options.ClientCertificate is { } own)
        {
            ssl.ClientCertificates = [own];
            // Shown whatever authorities the server says it wants: many say none, or others.
            ssl.LocalCertificateSelectionCallback = (_, _, _, _, _) => own;
        }

        return ssl;
    }

    /// <summary>An authority of ours makes up for a chain that the system does not know, and for nothing else: a wrong name stays wrong.</summary>
    private static bool IsTrusted(X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors, X509Certificate2Collection authorities)
    {
        if (errors != SslPolicyErrors.RemoteCertificateChainErrors || certificate is not X509Certificate2 server)
        {
            return errors == SslPolicyErrors.None;
        }

        using var chain = new X509Chain
        {
            ChainPolicy =
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
                ApplicationPolicy = { new System.Security.Cryptography.Oid(ServerAuthentication) },
            },
        };
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        foreach (var element in sent?.ChainPolicy.ExtraStore ?? [])
        {
            chain.ChainPolicy.ExtraStore.Add(element);
        }

        return chain.Build(server);
    }
}
