using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Local;

/// <summary>
/// An upstream's repository that has the name of one of our own. Who pushes is told that what is here of it need not be pushed; a manifest that
/// lacks it then gets it from there, as if it had been mounted.
/// </summary>
/// <param name="Repository">The upstream's.</param>
/// <param name="MayRead">Whether the client may read some content of it.</param>
public sealed record Lender(RepositoryKey Repository, Func<Descriptor, ValueTask<bool>> MayRead);
