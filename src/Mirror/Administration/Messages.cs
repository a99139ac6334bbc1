using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Mirror.Adoption;
using Mirror.Caching;

namespace Mirror.Administration;

/// <param name="Images">As people name them.</param>
/// <param name="Platforms">Which of an index's images; none for all.</param>
public sealed record WarmRequest(IReadOnlyList<string?>? Images, IReadOnlyList<string?>? Platforms);

/// <param name="Images">As people name them, with tags.</param>
public sealed record RefreshRequest(IReadOnlyList<string?>? Images);

/// <param name="Images">As people name them.</param>
/// <param name="All">Whether whole repositories are meant, and the names say neither tag nor digest; else they say one.</param>
public sealed record RemoveRequest(IReadOnlyList<string?>? Images, bool All);

/// <param name="Path">The other registry's directory: an absolute path, as the server sees it.</param>
/// <param name="Prefix">What stands before all names here; null for the names that they have there.</param>
/// <param name="MovesTags">Whether tags that are here and point elsewhere come to point to what they do there.</param>
/// <param name="TakesCache">Whether what a pull-through proxy has kept is taken over too.</param>
/// <param name="IsDry">Whether it is only said what would be done.</param>
public sealed record AdoptRequest(string? Path, string? Prefix, bool MovesTags, bool TakesCache, bool IsDry);

/// <summary>One line of an answer; one of them is set. The last is what came of it all.</summary>
public sealed record AdoptLine(AdoptionProgress? Progress, LeftOut? LeftOut, AdoptedRepository? Repository, AdoptedRegistry? Registry);

/// <param name="Path">The other registry's directory.</param>
/// <param name="DryRun">Whether nothing was done.</param>
/// <param name="Found">The blobs that its repositories have.</param>
/// <param name="Blobs">What came of them.</param>
/// <param name="NotLocal">Names that are not reached here, because <c>local</c> does not name them.</param>
/// <param name="NamedAsRegistries">Names that are not reached here, because their first part is a configured registry's.</param>
/// <param name="Local">What <c>local</c> has to be for the former to be reached.</param>
/// <param name="Error">Why it was broken off.</param>
public sealed record AdoptedRegistry(
    string Path,
    bool DryRun,
    ContentCount Found,
    AdoptedBlobs Blobs,
    IReadOnlyList<string> NotLocal,
    IReadOnlyList<string> NamedAsRegistries,
    IReadOnlyList<string> Local,
    string? Error);

/// <summary>All that was answered.</summary>
public sealed record AdoptionReport(AdoptedRegistry Registry, IReadOnlyList<AdoptedRepository> Repositories, IReadOnlyList<LeftOut> LeftOut);

/// <summary>One line of an answer: how it stands with the image that is being fetched, or what came of it. One of the two is set.</summary>
public sealed record WarmLine(WarmProgress? Progress, WarmedImage? Image);

/// <param name="Image">As it was asked for.</param>
/// <param name="Bytes">Of its blobs that are here.</param>
/// <param name="TotalBytes">Of all its blobs.</param>
public sealed record WarmProgress(string Image, long Bytes, long TotalBytes);

/// <summary>What came of one image. Counts are of configs and layers.</summary>
/// <param name="Image">As it was asked for.</param>
/// <param name="Name">Its full name, where it is of a configured registry.</param>
/// <param name="Digest">What that is now; null where this could not be found out.</param>
/// <param name="Stale">Whether upstream could not be asked, and this is what the name last was.</param>
/// <param name="Fetched">What was not here.</param>
/// <param name="AlreadyHere">What was.</param>
/// <param name="Failed">What could not be fetched.</param>
/// <param name="Error">Why nothing could be.</param>
public sealed record WarmedImage(
    string Image,
    string? Name,
    string? Digest,
    bool Stale,
    ContentCount Fetched,
    ContentCount AlreadyHere,
    IReadOnlyList<FailedContent> Failed,
    string? Error)
{
    /// <summary>Whether all of it is here.</summary>
    [JsonIgnore]
    public bool IsWhole => Error is null && Failed.Count == 0;

    /// <summary>Whether anything of it is.</summary>
    [JsonIgnore]
    public bool IsThere => Error is null && (Failed.Count == 0 || Fetched.Count + AlreadyHere.Count > 0);
}

public sealed record FailedContent(string Digest, string Why);

public enum RefreshOutcome
{
    /// <summary>Upstream says what was known.</summary>
    [JsonStringEnumMemberName("unchanged")]
    Unchanged,

    /// <summary>The tag points elsewhere now.</summary>
    [JsonStringEnumMemberName("moved")]
    Moved,

    /// <summary>The tag was not here; now it is.</summary>
    [JsonStringEnumMemberName("new")]
    New,

    /// <summary>Upstream has no such tag.</summary>
    [JsonStringEnumMemberName("gone")]
    Gone,

    /// <summary>Upstream could not be asked.</summary>
    [JsonStringEnumMemberName("failed")]
    Failed,
}

/// <param name="Image">As it was asked for.</param>
/// <param name="Name">Its full name, where it is of a configured registry.</param>
/// <param name="Outcome">What upstream said.</param>
/// <param name="Before">The digest that the tag had here.</param>
/// <param name="After">The one that it has now.</param>
/// <param name="Why">Why it is gone or could not be asked about.</param>
public sealed record RefreshedImage(string Image, string? Name, RefreshOutcome Outcome, string? Before, string? After, string? Why);

/// <summary>What came of one removal.</summary>
/// <param name="Image">As it was asked for.</param>
/// <param name="Name">Its full name, where it is our own or of a configured registry.</param>
/// <param name="Digest">What the tag pointed to, or the manifest; null for a whole repository.</param>
/// <param name="Tags">All that are gone.</param>
/// <param name="Manifests">How many are gone.</param>
/// <param name="Error">Why nothing is.</param>
public sealed record RemovedImage(string Image, string? Name, string? Digest, IReadOnlyList<string> Tags, int Manifests, string? Error);

/// <summary>A cached tag and its image.</summary>
/// <param name="Image">The full name, with the tag.</param>
/// <param name="Digest">Of its manifest or index.</param>
/// <param name="Type">An artifact's type; null for an image.</param>
/// <param name="Platforms">Of the images that are here.</param>
/// <param name="Manifests">How many an index has; 0 for an image.</param>
/// <param name="ManifestsHere">How many of those are here.</param>
/// <param name="BytesHere">What is here of it.</param>
/// <param name="Bytes">All of it, as far as its manifests are here.</param>
/// <param name="Complete">Whether config and distributable layers are all here; of an index, those of one image.</param>
/// <param name="CheckedAt">When upstream was last asked.</param>
public sealed record ListedImage(
    string Image,
    string Digest,
    string? Type,
    IReadOnlyList<string> Platforms,
    int Manifests,
    int ManifestsHere,
    long BytesHere,
    long Bytes,
    bool Complete,
    DateTimeOffset CheckedAt);

/// <param name="Registry">Its name in the configuration.</param>
/// <param name="Manifests">Of it that are here.</param>
/// <param name="Blobs">The same.</param>
public sealed record RegistryUsage(string Registry, ContentCount Manifests, ContentCount Blobs);

/// <param name="DataPath">The data directory.</param>
/// <param name="Registries">What each has given; content that several have counts for each.</param>
/// <param name="Manifests">Of all registries, each counted once.</param>
/// <param name="Blobs">The same.</param>
/// <param name="Staged">What is being received, or was when it broke off.</param>
/// <param name="DatabaseBytes">Of the database, with its journal of changes.</param>
/// <param name="FreeBytes">Of the disk; null where the system does not say.</param>
public sealed record StoreUsage(
    string DataPath,
    IReadOnlyList<RegistryUsage> Registries,
    ContentCount Manifests,
    ContentCount Blobs,
    ContentCount Staged,
    long DatabaseBytes,
    long? FreeBytes);

/// <summary>Why a request was not answered.</summary>
public sealed record Refusal(string Error);

/// <summary>How these are written, between processes and for users: one line each.</summary>
public static class Messages
{
    /// <summary>Apostrophes and plus signs stay what they are.</summary>
    public static MessageJson Json { get; } =
        new(new JsonSerializerOptions(MessageJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true)]
[JsonSerializable(typeof(WarmRequest))]
[JsonSerializable(typeof(RefreshRequest))]
[JsonSerializable(typeof(RemoveRequest))]
[JsonSerializable(typeof(RemovedImage))]
[JsonSerializable(typeof(AdoptRequest))]
[JsonSerializable(typeof(AdoptLine))]
[JsonSerializable(typeof(AdoptionReport))]
[JsonSerializable(typeof(WarmLine))]
[JsonSerializable(typeof(RefreshedImage))]
[JsonSerializable(typeof(ListedImage))]
[JsonSerializable(typeof(StoreUsage))]
[JsonSerializable(typeof(SyncJobStatus))]
[JsonSerializable(typeof(SyncRunEntry))]
[JsonSerializable(typeof(SyncPlanRequest))]
[JsonSerializable(typeof(SyncPlanLine))]
[JsonSerializable(typeof(SyncPlanReport))]
[JsonSerializable(typeof(SyncRunRequest))]
[JsonSerializable(typeof(SyncRunLine))]
[JsonSerializable(typeof(SyncReport))]
[JsonSerializable(typeof(SyncStopRequest))]
[JsonSerializable(typeof(SyncStopped))]
[JsonSerializable(typeof(Refusal))]
public sealed partial class MessageJson : JsonSerializerContext;
