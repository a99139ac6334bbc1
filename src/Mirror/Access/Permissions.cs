using Mirror.Configuration;

namespace Mirror.Access;

/// <summary>Who may do what.</summary>
/// <param name="options">The configuration's.</param>
public sealed class Permissions(AccessOptions options)
{
    public bool Allow(Rights wanted) => options.Anonymous.HasFlag(wanted);
}
