using Mirror.Configuration.Reading;
using Mirror.Oci;
using Mirror.Sync.Jobs;
using Mirror.Sync.Scheduling;

namespace Mirror.Configuration;

/// <summary>In what it is remembered what has been copied.</summary>
public enum SyncStateKind
{
    Sqlite,
#if LITEDB
    LiteDb,
#endif
}

/// <summary>What is copied between registries.</summary>
public sealed record SyncOptions
{
    private const int MostParallel = 100;

    private const int MostTags = 1_000_000;

    // The rest is required of a job; the defaults of what is not are what is asked of this one.
    private static readonly SyncJob Defaults = new() { Name = "", From = new Endpoint.Local(null), To = new Endpoint.Cache(), Repositories = [] };

    public SyncStateKind State { get; init; }

    public EventOptions Events { get; init; } = new();

    public IReadOnlyList<SyncJob> Jobs { get; init; } = [];

    /// <param name="section">Where it stands.</param>
    /// <param name="registries">Which there are.</param>
    /// <param name="own">Names that are our own.</param>
    internal static SyncOptions Read(ConfigurationSection section, IReadOnlyList<RegistryOptions> registries, IReadOnlyList<RepositoryPattern> own) => new()
    {
        State = section.Read(
            "state", SyncKinds.State, default, "In what it is remembered what has been copied: sqlite; or litedb, in a build that has it."),
        Events = section.ReadSection("events", EventOptions.Read, "Who may tell of what was pushed elsewhere: jobs then copy it at once."),
        Jobs = [.. section
            .ReadMap("jobs", SyncKinds.JobName, (name, job) => FindJob(name, job, registries, own), "What is copied from where to where, by a name of your choice.")
            .OfType<SyncJob>()],
    };

    /// <summary>A schedule in one line, for people.</summary>
    internal static string Describe(Schedule schedule) =>
        SyncKinds.Schedule.Write(schedule) + (schedule is Schedule.Cron { TimeZone: var zone } ? $" ({zone.Id})" : "");

    /// <summary>The job, or null where it is not said what to copy.</summary>
    private static SyncJob? FindJob(
        string name, ConfigurationSection section, IReadOnlyList<RegistryOptions> registries, IReadOnlyList<RepositoryPattern> own)
    {
        var schedule = FindSchedule(section);
        var from = section.Find("from", SyncKinds.Endpoint, "From where: a registry's name, perhaps with a path, or local for what is pushed here.");
        var to = section.Find("to", SyncKinds.Endpoint, "To where: the same; or cache, to keep this mirror's own copies of the registry in from.");
        var repositories = section.ReadList(
            "repositories",
            SyncKinds.RepositoryFilter,
            [],
            "Which repositories, by what they are called behind from's path: names; or * and ** and regex:, where the source has a catalog.",
            atLeast: 1);
        var tags = section.ReadSection("tags", ReadTags, "Which tags.");
        var platforms = section.ReadList(
            "platforms", SyncKinds.Platform, [], "Which platforms of images that are for several, such as linux/amd64. Default: all.", atLeast: 1);
        var index = section.Read(
            "index",
            Kinds.Choice(("sparse", IndexMode.Sparse), ("rewrite", IndexMode.Rewrite)),
            Defaults.Index,
            "With platforms: sparse keeps the index and its digest, without the others' content; rewrite makes a smaller one, with another digest.");
        var referrers = section.Read("referrers", Kinds.Flag, Defaults.Referrers, "Whether signatures, SBOMs and the like come along: referrers, and cosign's tags.");
        var referrersFreshness = section.Read(
            "referrersFreshness", Kinds.Duration, Defaults.ReferrersFreshness, "How often it is asked what is new among them for images that have not changed.");
        var delete = section.Read("delete", Kinds.Flag, Defaults.Delete, "Whether tags that are gone at the source go at the target, within deleteLimit.");
        var deleteLimit = section.Read(
            "deleteLimit", SyncKinds.DeleteLimit, Defaults.DeleteLimit, "How many tags one run may delete: a part of those there are, at least one; or a number.");
        var parallel = section.Read("parallel", Kinds.CountTo(MostParallel), Defaults.Parallel, "How many images are copied at once.");
        var verify = section.Read("verify", Kinds.Duration, Defaults.Verify, "How often the target is asked whether it still has everything.");
        var reserve = section.Read("reserve", Kinds.CountTo(MostTags), Defaults.Reserve, "How many pulls of the source's quota a run leaves to others.");
        foreach (var key in (string[])["from", "to", "repositories"])
        {
            if (!section.Has(key))
            {
                section.Fault(key, "a job has to say this");
            }
        }

        if (from is null || to is null || repositories.Count == 0)
        {
            return null;
        }

        var job = new SyncJob
        {
            Name = name,
            Schedule = schedule,
            From = from,
            To = to,
            Repositories = repositories,
            Tags = tags,
            Platforms = platforms,
            Index = index,
            Referrers = referrers,
            ReferrersFreshness = referrersFreshness,
            Delete = delete,
            DeleteLimit = deleteLimit,
            Parallel = parallel,
            Verify = verify,
            Reserve = reserve,
        };
        foreach (var fault in job.FindFaults())
        {
            section.Fault(fault.Part, fault.What);
        }

        CheckSide("from", from, section, registries);
        CheckSide("to", to, section, registries);
        CheckNames(job, section, registries, own);
        return job;
    }

    private static Schedule? FindSchedule(ConfigurationSection section)
    {
        var schedule = section.Find("schedule", SyncKinds.Schedule, "When: every 15m; or cron, five or six fields. Default: when mirror sync run says so.");
        var zone = section.Find("timeZone", SyncKinds.TimeZone, "Whose clock cron goes by, such as Europe/Berlin. Default: UTC.");
        var spread = section.FindValue("spread", Kinds.Duration, "Each run begins later by a random time shorter than this. Default: on time.");
        if (section.Has("timeZone") && schedule is not Schedule.Cron && (schedule is not null || !section.Has("schedule")))
        {
            section.Fault("timeZone", "only cron goes by a clock: write a schedule of five or six fields, or remove the key");
        }

        if (section.Has("spread") && !section.Has("schedule"))
        {
            section.Fault("spread", "there is no schedule to be spread: add it, or remove the key");
        }

        return schedule switch
        {
            Schedule.Cron cron => cron with { TimeZone = zone ?? TimeZoneInfo.Utc, Spread = spread ?? TimeSpan.Zero },
            not null => schedule with { Spread = spread ?? TimeSpan.Zero },
            null => null,
        };
    }

    private static TagSelection ReadTags(ConfigurationSection section)
    {
        var selection = new TagSelection
        {
            Include = section.ReadList(
                "include",
                SyncKinds.TagFilter,
                [],
                "Any of these: v1.* (* is any text, ? one character), regex:v\\d+, or a range of versions, semver:>=1.2 <2. Default: all tags.",
                atLeast: 1),
            Exclude = section.ReadList("exclude", SyncKinds.TagFilter, [], "None of these."),
            Newest = section.FindValue(
                "newest", Kinds.CountTo(MostTags), "Only so many, the newest. What include names in full comes beside them. Default: all."),
            By = section.Read(
                "by",
                Kinds.Choice(("version", NewestBy.Version), ("created", NewestBy.Created)),
                NewestBy.Version,
                "What is newest: by version, of each variant (-alpine); or by when the image was created."),
        };
        if (section.Has("by") && !section.Has("newest"))
        {
            section.Fault("by", "there is no newest to be found: add it, or remove the key");
        }

        return selection;
    }

    private static void CheckSide(string key, Endpoint side, ConfigurationSection section, IReadOnlyList<RegistryOptions> registries)
    {
        if (side is Endpoint.Registry registry)
        {
            if (registries.FirstOrDefault(known => known.Name == registry.Name) is { } known)
            {
                if (known.Offline)
                {
                    section.Fault(key, $"{known.Name} is never contacted: remove its offline: true");
                }

                return;
            }

            var nearest = NearestName.Find(registry.Name, [.. registries.Select(other => other.Name), Endpoint.LocalName, Endpoint.CacheName]);
            section.Fault(
                key,
                nearest is null ? $"there is no registry '{registry.Name}': list it under registries" : $"there is no registry '{registry.Name}'; did you mean '{nearest}'?");
        }
        else if (registries.FirstOrDefault(other => other.Name == (side is Endpoint.Local ? Endpoint.LocalName : Endpoint.CacheName)) is { } alike)
        {
            section.Fault(key, $"this would mean a registry '{alike.Name}' too: give that another name");
        }
    }

    private static void CheckNames(SyncJob job, ConfigurationSection section, IReadOnlyList<RegistryOptions> registries, IReadOnlyList<RepositoryPattern> own)
    {
        var source = job.From is Endpoint.Registry from ? registries.FirstOrDefault(registry => registry.Name == from.Name) : null;
        if (job.To is Endpoint.Cache && source is { PullThrough: false })
        {
            section.Fault("to", $"nobody can pull from {source.Name} through this mirror: remove its pullThrough: false");
        }

        if (source is { IsDockerHub: true } && job.RepositorySelector.NeedsCatalog)
        {
            section.Fault("repositories", "Docker Hub does not list its repositories, so that no pattern finds any: write them in full");
        }

        var named = new RepositorySelector(job.From, job.To, [.. job.Repositories.OfType<RepositoryFilter.Name>()]).Select([]).Repositories;
        foreach (var (key, side, names) in new[]
        {
            ("from", job.From, named.Select(pair => pair.Source)), ("to", job.To, named.Select(pair => pair.Target)),
        })
        {
            if (side is Endpoint.Local && names.FirstOrDefault(name => !own.Any(pattern => pattern.Matches($"{name}"))) is var other && other != default)
            {
                section.Fault(key, $"{other} is not one of this registry's own names: list it under local, as {other.Components[0]}/** perhaps");
            }
        }
    }
}
