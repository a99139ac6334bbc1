using System.CommandLine;
using Mirror.Configuration;

namespace Mirror.Commands;

/// <summary><c>mirror health</c>: whether the server answers. For images, which have no other program that could ask.</summary>
public static class HealthCommand
{
    /// <summary>For all addresses together: less than what those wait who ask regularly.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var health = new DetailedCommand(
            "health",
            "Ask the running server whether it answers.",
            """
            Asks for /readyz at every address that the configuration has it listen on, from this machine, and prints what it
            says: that it can be pulled from, and what is wrong with its store or certificate, if anything. With TLS, the
            certificate is not looked at.

            Exits with 0, 1 if an address does not answer within five seconds, and 2 if the configuration has faults.
            """);
        health.SetAction(async (invocation, stopping) =>
        {
            if (GlobalOptions.FindConfiguration(invocation) is not { } loaded)
            {
                return ExitCode.Misused;
            }

            var (output, errors) = (invocation.InvocationConfiguration.Output, invocation.InvocationConfiguration.Error);
            return await AskAsync(loaded.Configuration.Server, output, errors, stopping) ? ExitCode.Done : ExitCode.Failed;
        });
        return health;
    }

    private static async Task<bool> AskAsync(ServerOptions server, TextWriter output, TextWriter errors, CancellationToken stopping)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        patience.CancelAfter(Patience);
        using var http = new HttpClient(CreateHandler());
        foreach (var address in server.Listen)
        {
            if (address.Port == 0)
            {
                await errors.WriteLineAsync($"mirror: {address}: only the server knows its port (server.listen, or MIRROR_SERVER__LISTEN)");
                return false;
            }

            var url = new Uri(address.UrlFromHere(isEncrypted: server.Tls is not null), "readyz");
            try
            {
                using var answer = await http.GetAsync(url, patience.Token);
                answer.EnsureSuccessStatusCode();
                await output.WriteAsync(await answer.Content.ReadAsStringAsync(patience.Token));
            }
            catch (HttpRequestException e)
            {
                await errors.WriteLineAsync($"mirror: {url}: {e.Message.TrimEnd('.')}");
                return false;
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                await errors.WriteLineAsync($"mirror: {url}: no answer within {Patience.TotalSeconds} seconds");
                return false;
            }
        }

        return true;
    }

    /// <summary>Nothing secret is said, and the certificate is for the name that clients know, which is not this address.</summary>
    private static SocketsHttpHandler CreateHandler() => new()
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null },
    };
}
