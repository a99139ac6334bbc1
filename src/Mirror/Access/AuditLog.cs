using Microsoft.Extensions.Logging;
using Mirror.Configuration.Reading;

namespace Mirror.Access;

/// <summary>Who did what: logins, changes and denials, one event each. No password and no token is ever a part of one.</summary>
public sealed partial class AuditLog(ILogger<AuditLog> logger)
{
    /// <summary>A password was checked and is right; one that was checked a short time ago is no new login.</summary>
    public void LoggedIn(Client client) => LogLogin(NameOf(client), client.Address);

    public void LoginFailed(Client client) => LogFailedLogin(NameOf(client), client.Address);

    public void LoginSlowed(Client client) => LogSlowedLogin(NameOf(client), client.Address);

    /// <summary>Something was pushed or deleted.</summary>
    /// <param name="client">By whom.</param>
    /// <param name="done">What was done, in one word.</param>
    /// <param name="repository">In which repository.</param>
    /// <param name="reference">The tag or digest.</param>
    /// <param name="digest">The manifest's digest, where that says more; null otherwise.</param>
    public void Changed(Client client, string done, string repository, string reference, string? digest)
    {
        if (digest is null || digest == reference)
        {
            LogChange(NameOf(client), client.Address, done, repository, reference);
        }
        else
        {
            LogTagChange(NameOf(client), client.Address, done, repository, reference, digest);
        }
    }

    /// <summary>Somebody may not do what was asked, and would not by logging in.</summary>
    public void Denied(Client client, string wanted, string repository) => LogDenial(NameOf(client), client.Address, wanted, repository);

    /// <summary>It is what somebody has typed: it need not be a name.</summary>
    private static string NameOf(Client client) => client.User is { } user ? Printable.Of(user) : "anonymous";

    [LoggerMessage(EventId = 1, EventName = "Login", Level = LogLevel.Information, Message = "{User} logged in from {Address}")]
    private partial void LogLogin(string user, object? address);

    [LoggerMessage(EventId = 2, EventName = "LoginFailed", Level = LogLevel.Warning, Message = "A login as {User} from {Address} failed: wrong name or password")]
    private partial void LogFailedLogin(string user, object? address);

    [LoggerMessage(
        EventId = 3, EventName = "LoginSlowed", Level = LogLevel.Warning, Message = "A login as {User} from {Address} was put off: too many from there failed")]
    private partial void LogSlowedLogin(string user, object? address);

    [LoggerMessage(EventId = 4, EventName = "Change", Level = LogLevel.Information, Message = "{User} from {Address} {Done} {Repository} {Reference}")]
    private partial void LogChange(string user, object? address, string done, string repository, string reference);

    [LoggerMessage(EventId = 5, EventName = "TagChange", Level = LogLevel.Information, Message = "{User} from {Address} {Done} {Repository} {Reference}: {Digest}")]
    private partial void LogTagChange(string user, object? address, string done, string repository, string reference, string digest);

    [LoggerMessage(EventId = 6, EventName = "Denial", Level = LogLevel.Warning, Message = "{User} from {Address} may not {Wanted} {Repository}")]
    private partial void LogDenial(string user, object? address, string wanted, string repository);
}
