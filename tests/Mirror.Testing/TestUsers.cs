using Mirror.Access;
using Mirror.Configuration;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>A users file, with hashes that are quick to check. Everybody's password is the name and "-password".</summary>
public sealed class TestUsers : IDisposable
{
    private readonly TemporaryDirectory _folder = new();

    public TestUsers(params IEnumerable<string> names) => File.WriteAllLines(Path, names.Select(name => $"{name}:{Bcrypt.Hash(PasswordOf(name), Bcrypt.MinCost)}"));

    public string Path => _folder.Combine("htpasswd");

    /// <summary>A rule that gives a user this right to all repositories.</summary>
    public static AccessRule Rule(string user, Rights allow) => new([RepositoryPattern.Parse("**")], [user], [], allow);

    /// <summary>Everybody may do everything, and one user is named as somebody who may.</summary>
    public AccessOptions Naming(string user)
    {
        const Rights All = Rights.Pull | Rights.Push | Rights.Delete;
        return new AccessOptions { Anonymous = All, Users = Path, Rules = [Rule(user, All)] };
    }

    public static string PasswordOf(string name) => $"{name}-password";

    /// <summary>The header with which a user shows its password.</summary>
    public static string HeaderOf(string name) => Header(name, PasswordOf(name));

    public static string Header(string name, string password) =>
        $"Authorization: Basic {Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"{name}:{password}"))}";

    public void Dispose() => _folder.Dispose();
}
