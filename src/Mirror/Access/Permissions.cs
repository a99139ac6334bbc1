using System.Net;
using Mirror.Configuration;

namespace Mirror.Access;

/// <summary>Who asks.</summary>
/// <param name="User">The name that the client has shown to be its own; null where it has shown none.</param>
/// <param name="Address">Where it is; null where that is not known.</param>
public sealed record Client(string? User, IPAddress? Address);

/// <summary>Who may do what: the one place where that is decided.</summary>
/// <param name="options">The configuration's.</param>
public sealed class Permissions(AccessOptions options)
{
    /// <summary>What a client may do with a repository.</summary>
    /// <param name="client">Who asks.</param>
    /// <param name="repository">Its full name.</param>
    public Rights Of(Client client, string repository) => FindRule(client, repository)?.Allow ?? options.Anonymous;

    /// <summary>What everybody may where no rule speaks.</summary>
    public bool Allow(Rights wanted) => options.Anonymous.HasFlag(wanted);

    /// <summary>Whether a rule gives this client this right to a repository, and not only what everybody has.</summary>
    public bool IsNamed(Client client, string repository, Rights right) => FindRule(client, repository) is { } rule && rule.Allow.HasFlag(right);

    /// <summary>Whether somebody who logs in could have this right to a repository, where this client has it not.</summary>
    public bool CouldLoginHelp(Client client, string repository, Rights right) => client.User is null && options.Rules.Any(
        rule => rule.Allow.HasFlag(right)
            && rule.Users.Any(user => user != AccessRule.Nobody)
            && Speaks(rule, repository)
            && IsIn(rule, client.Address));

    private AccessRule? FindRule(Client client, string repository) => options.Rules.FirstOrDefault(
        rule => IsOf(rule, client.User) && IsIn(rule, client.Address) && Speaks(rule, repository));

    private static bool Speaks(AccessRule rule, string repository) => rule.Repositories.Any(pattern => pattern.Matches(repository));

    private static bool IsOf(AccessRule rule, string? user) => rule.Users.Count == 0 || rule.Users.Any(named => named switch
    {
        AccessRule.AnyUser => user is not null,
        AccessRule.Nobody => user is null,
        _ => named == user,
    });

    /// <summary>An IPv4 client on a socket that is IPv6 too has an address that says both.</summary>
    private static bool IsIn(AccessRule rule, IPAddress? address) => rule.Networks.Count == 0
        || (address is not null && rule.Networks.Any(network => network.Contains(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)));
}
