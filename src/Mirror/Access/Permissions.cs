using System.Collections.Concurrent;
using System.Net;
using Mirror.Configuration;

namespace Mirror.Access;

/// <summary>Who asks.</summary>
/// <param name="User">The name that the client has shown to be its own; null where it has shown none.</param>
/// <param name="Address">Where it is; null where that is not known.</param>
public sealed record Client(string? User, IPAddress? Address);

/// <summary>What the configuration gives to whom: the one place where that is decided.</summary>
/// <param name="options">The configuration's.</param>
public sealed class Permissions(AccessOptions options)
{
    private const Rights All = Rights.Pull | Rights.Push | Rights.Delete;

    /// <summary>Of so many repositories it is kept in mind which rules speak of them; then all is forgotten, for anybody can ask for any name.</summary>
    private const int MaxKnown = 10_000;

    /// <summary>A user whom no rule can name: no name has a colon.</summary>
    private const string Somebody = ":";

    private readonly ConcurrentDictionary<string, AccessRule[]> _known = new();

    /// <summary>Whether it can give more to be somebody than to be nobody, so that clients are to log in before they try.</summary>
    public bool RewardsLogin { get; } = options.Tokens is not null
        || (options.Users is not null && (options.Rules.Count == 0 ? options.Anonymous != All : options.Rules.Any(NamesUsers)));

    /// <summary>What a client may do with a repository.</summary>
    /// <param name="client">Who asks.</param>
    /// <param name="repository">Its full name.</param>
    public Rights Of(Client client, string repository) => FindRule(client, repository) is { } rule ? rule.Allow
        : IsTrusted(client) ? All
        : options.Anonymous;

    /// <summary>
    /// Whether a rule that is not for everybody lets this client pull: what our credentials can read of a repository upstream, and others can not, is
    /// for such clients.
    /// </summary>
    public bool IsNamedReader(Client client, string repository) =>
        FindRule(client, repository) is { } rule && IsForSome(rule) && rule.Allow.HasFlag(Rights.Pull);

    /// <summary>Whether somebody who logs in, at the same address, could have this right where nobody has.</summary>
    public bool CouldLoginGive(Rights wanted, IPAddress? address, string repository) =>
        CouldLogin(address, client => Of(client, repository).HasFlag(wanted));

    /// <summary>The same for what <see cref="IsNamedReader"/> is about.</summary>
    public bool CouldLoginName(IPAddress? address, string repository) => CouldLogin(address, client => IsNamedReader(client, repository));

    /// <summary>Whether a client may pull anything at all.</summary>
    /// <param name="client">Who asks.</param>
    /// <param name="registry">From this registry alone; null for any.</param>
    public bool MayPullSomething(Client client, string? registry) => options.Anonymous.HasFlag(Rights.Pull)
        || IsTrusted(client)
        || options.Rules.Any(rule => rule.Allow.HasFlag(Rights.Pull)
            && IsOf(rule, client.User)
            && IsIn(rule, client.Address)
            && (registry is null || rule.Repositories.Any(pattern => CouldMatchIn(registry, pattern.ToString()))));

    /// <summary>Another server gives what it likes. Our rules give everybody the same whom none of them names.</summary>
    private bool CouldLogin(IPAddress? address, Func<Client, bool> helps) => options.Tokens is not null
        || (RewardsLogin && options.Rules.SelectMany(rule => rule.Users).Append(Somebody).Distinct()
            .Where(user => user is not AccessRule.Nobody and not AccessRule.AnyUser)
            .Any(user => helps(new Client(user, address))));

    /// <summary>Where there are users and no rules, users may do everything: that is why they were given a password.</summary>
    private bool IsTrusted(Client client) => client.User is not null && options.Rules.Count == 0;

    private AccessRule? FindRule(Client client, string repository)
    {
        foreach (var rule in options.Rules.Count == 0 ? [] : RulesOf(repository))
        {
            if (IsOf(rule, client.User) && IsIn(rule, client.Address))
            {
                return rule;
            }
        }

        return null;
    }

    private AccessRule[] RulesOf(string repository)
    {
        if (!_known.TryGetValue(repository, out var rules))
        {
            rules = [.. options.Rules.Where(rule => Speaks(rule, repository))];
            if (_known.Count >= MaxKnown)
            {
                _known.Clear();
            }

            _known[repository] = rules;
        }

        return rules;
    }

    private static bool CouldMatchIn(string registry, string pattern) =>
        pattern.Split('/')[0] is var first && (first.Contains('*', StringComparison.Ordinal) || first == registry);

    private static bool IsForSome(AccessRule rule) => NamesUsers(rule) || rule.Networks.Count > 0;

    private static bool NamesUsers(AccessRule rule) => rule.Users.Any(user => user != AccessRule.Nobody);

    private static bool Speaks(AccessRule rule, string repository)
    {
        foreach (var pattern in rule.Repositories)
        {
            if (pattern.Matches(repository))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsOf(AccessRule rule, string? user)
    {
        foreach (var named in rule.Users)
        {
            var isMeant = named switch
            {
                AccessRule.AnyUser => user is not null,
                AccessRule.Nobody => user is null,
                _ => named == user,
            };
            if (isMeant)
            {
                return true;
            }
        }

        return rule.Users.Count == 0;
    }

    /// <summary>An IPv4 client on a socket that is IPv6 too has an address that says both.</summary>
    private static bool IsIn(AccessRule rule, IPAddress? address)
    {
        if (address is { IsIPv4MappedToIPv6: true })
        {
            address = address.MapToIPv4();
        }

        foreach (var network in rule.Networks)
        {
            if (address is not null && network.Contains(address))
            {
                return true;
            }
        }

        return rule.Networks.Count == 0;
    }
}
